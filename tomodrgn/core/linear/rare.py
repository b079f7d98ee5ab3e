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
