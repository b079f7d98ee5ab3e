"""A test for rare states: do few particles gain much by a model that tells particles apart?

The mean gain of all particles averages a rare state away. But the gain of a particle is the
logarithm of a likelihood ratio, whose mean is 1 or less where particles do not differ; so is that
of a mixture in which a fraction of the particles differs, and a large ratio is its own
significance: by Markov's inequality it exceeds r with a chance of 1 / r at most.

Source:
    E-values: Vovk & Wang 2021, doi:10.1214/20-AOS2020.
"""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

LEVEL: Final = 0.0175
"""Chance to call identical particles different; a bound, which is far from being reached."""
RARE_ODDS: Final = 2.5
"""Logarithm of :func:`rare_odds` from which few particles differ; 3 in 1000 sets of identical ones
have more (3,000 draws of 40 and 200 particles with 1 and 3 latents)."""
FRACTIONS: Final = (1.0, 0.3, 0.1, 0.03, 0.01)
"""Of particles that differ."""
_MAX_GAIN: Final = 50.0
_DISTANCES: Final = (3.0, 5.0)
"""Of a rare state from the others, in standard errors of a particle."""
_RARE_FRACTIONS: Final = (0.1, 0.02)
_ROUNDS: Final = 30
_MAX_FRACTION: Final = 0.2


def log_odds(gains: Tensor, fractions: Sequence[float] = FRACTIONS) -> float:
    """Logarithm of the likelihood ratio of mixtures in which some particles gain as given (B,).

    The fractions that differ count alike. The ratio has a mean of 1 or less where none differs.
    """
    mixed = [
        torch.log1p(fraction * torch.expm1(gains.clamp_max(_MAX_GAIN))).sum()
        if fraction < 1
        else gains.sum()
        for fraction in fractions
    ]
    return float(torch.stack(mixed).logsumexp(0)) - log(len(fractions))


def are_significant(odds: float) -> bool:
    """Whether some particles differ, given the logarithm of the odds."""
    return odds > -log(LEVEL)


def rare_odds(matrix: Tensor, vector: Tensor) -> float:
    """Logarithm of the odds that few particles lie apart from all others along some latent.

    All particles at the mean map are compared with mixtures in which a fraction of them lies at a
    point of one latent; all such mixtures count alike, so that the mean of the odds is 1 where no
    particle differs. A rare state is far out for the prior of its latent, but not for this.

    Args:
        matrix: (B, K, K) of the terms of latents, see :mod:`~tomodrgn.core.linear.latents`.
        vector: (B, K) of these.
    """
    found = []
    for power, slope in zip(matrix.diagonal(dim1=1, dim2=2).T, vector.T, strict=True):
        error = 1 / power.mean().clamp_min(1e-30).sqrt()
        for distance in _DISTANCES:
            for place in (distance * error, -distance * error):
                gain = (slope * place - power * place.square() / 2).clamp_max(_MAX_GAIN)
                found += [torch.log1p(f * torch.expm1(gain)).sum() for f in _RARE_FRACTIONS]
    return float(torch.stack(found).logsumexp(0)) - log(len(found))


def rare_probability(mean: Tensor, covariance: Tensor) -> Tensor:
    """(B,) probability of each particle to be of a rare state, apart from all others.

    Of the mixtures that :func:`rare_odds` compares, the likeliest; the place and the size of the
    rare state are then fitted by expectation-maximization. What images say of a latent is what its
    posterior says, less what was known of all of them.

    Args:
        mean: (B, K) of the posteriors of latents.
        covariance: (B, K, K) of these.
    """
    mean, covariance = mean.double(), covariance.double()
    known = torch.linalg.inv((mean[:, :, None] * mean[:, None, :] + covariance).mean(0))
    precision = torch.linalg.inv(covariance)
    matrix, vector = precision - known, (precision @ mean[..., None])[..., 0]
    place, fraction = _likeliest(matrix, vector)
    ridge = known / len(mean)
    for _ in range(_ROUNDS):
        rare = _rare(matrix, vector, place, fraction)
        fraction = min(float(rare.sum()) / len(mean), _MAX_FRACTION)
        system = torch.tensordot(rare, matrix, 1) + ridge
        place = torch.linalg.solve(system, rare @ vector)
    return _rare(matrix, vector, place, fraction)


def _likeliest(matrix: Tensor, vector: Tensor) -> tuple[Tensor, float]:
    """Place (K,) and fraction of the likeliest rare state along one latent."""
    best, found = -torch.inf, (vector.new_zeros(vector.shape[1]), _RARE_FRACTIONS[0])
    for k, axis in enumerate(torch.eye(vector.shape[1], dtype=vector.dtype)):
        error = 1 / matrix[:, k, k].mean().clamp_min(1e-30).sqrt()
        for distance in (*_DISTANCES, *(-each for each in _DISTANCES)):
            place = distance * error * axis
            for fraction in _RARE_FRACTIONS:
                mixed = torch.log1p(fraction * torch.expm1(_gain(matrix, vector, place)))
                if float(mixed.sum()) > best:
                    best, found = float(mixed.sum()), (place, fraction)
    return found


def _gain(matrix: Tensor, vector: Tensor, place: Tensor) -> Tensor:
    """(B,) log likelihood of latents at a place (K,), over that at 0."""
    gain = vector @ place - 0.5 * torch.einsum("k,bkl,l->b", place, matrix, place)
    return gain.clamp(-_MAX_GAIN, _MAX_GAIN)


def _rare(matrix: Tensor, vector: Tensor, place: Tensor, fraction: float) -> Tensor:
    """(B,) probability to be at a place (K,), where a fraction of the particles is."""
    odds = _gain(matrix, vector, place) + log(max(fraction, 1e-9)) - log(1 - fraction)
    return torch.sigmoid(odds)
