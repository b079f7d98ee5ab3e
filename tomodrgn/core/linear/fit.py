"""Fitting a linear model: two independent halves first, then all particles with what they agree on.

Half models are fitted by expectation-maximisation at low resolution, from a random start. Shells
join while the halves agree at the highest ones. What both found, and only that, goes on: its
agreement is the prior of the model of all particles, and how well one half predicts tilts of the
other that were held out says whether there is anything to find at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.linear.basis import resize_maps, solve_basis
from tomodrgn.core.linear.half_models import (
    HalfModels,
    Halves,
    collected,
    cores_for_halves,
    standard_change,
    with_mean,
)
from tomodrgn.core.linear.halves import grams_of, smooth_fsc, wiener_prior
from tomodrgn.core.linear.latents import Posterior, log_evidence, population, standardising
from tomodrgn.core.linear.passes import noise_precision
from tomodrgn.core.reconstruction.resolution import FSC_THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.latents import LatentTerms
    from tomodrgn.core.linear.observations import Observations

FIRST_RADIUS_PX: Final = 6
"""Shells to begin with: few enough that noise does not hide what particles differ in."""
SPARE_LATENTS: Final = 2
"""Latents searched for beyond those asked for, so that none of these is lost in a bad direction."""
MOST_LATENTS: Final = 8
"""Latents searched for where their number is not given."""
SIGNIFICANT_Z: Final = 2.5
"""Gain on held-out tilts over its standard error from which particles are called different."""
_STARTING_ROUNDS: Final = 5
_MOST_ROUNDS: Final = 15
_SETTLED: Final = 0.01
"""Change of the log evidence per particle, over its size, below which rounds end."""
_RADIUS_GROWTH: Final = 1.5
_WEAK_PRIOR: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """What latents add to tilts that they were not fit to, each half by the model of the other.

    Attributes:
        gain: (K,) mean log likelihood per particle that the first k + 1 latents add to the mean
            map.
        z: (K,) the same over its standard error.
        increment_z: (K,) what latent k adds to those before it, over its standard error.
    """

    gain: tuple[float, ...]
    z: tuple[float, ...]
    increment_z: tuple[float, ...]

    @property
    def n_significant(self) -> int:
        """Latents up to the last that adds something."""
        found = [k for k, z in enumerate(self.increment_z, 1) if z > SIGNIFICANT_Z]
        return max(found, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearFit:
    """A linear model of B particles.

    Attributes:
        maps: (1 + K, D, D, D) mean and basis maps, in the scale of the images.
        half_maps: (2, D, D, D) mean maps of either half, not filtered.
        latents: their posteriors.
        fsc: (1 + K, D/2 + 1) agreement of half models.
        precision: (D/2 + 1,) of the noise of an independent coefficient.
        radius_px: shells in which latents were inferred.
        held_out: what latents are worth, in the order of the half models.
        evidence: mean log evidence per particle, over the mean map alone.
    """

    maps: Tensor
    half_maps: Tensor
    latents: Posterior
    fsc: Tensor
    precision: Tensor
    radius_px: int
    held_out: HeldOut
    evidence: float

    @property
    def is_heterogeneous(self) -> bool:
        """Whether particles differ beyond doubt in what the model describes."""
        return max(self.held_out.z) > SIGNIFICANT_Z


def fit_linear(
    images: Observations,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    start: NDArray[np.float32],
    *,
    n_latents: int | None,
    window_power: float,
    report: Callable[[str], None],
) -> LinearFit:
    """Fit a linear model.

    Args:
        images: all coefficients of B particles.
        rows: the particles of both halves.
        start: (B, >= K) standard normal numbers.
        n_latents: K; None finds it.
        window_power: mean square of the window of the images.
        report: takes a line about each stage.
    """
    with cores_for_halves(images.device):
        first = images.to_radius(min(FIRST_RADIUS_PX, images.radius_px))
        halves = Halves(first, rows, window_power)
        models = fit_half_models(halves, start, n_latents=n_latents, report=report)
        while halves.images.radius_px < images.radius_px and _agree_at_edge(models.fsc):
            grown = int(np.ceil(_RADIUS_GROWTH * halves.images.radius_px))
            halves = halves.at(images.to_radius(min(grown, images.radius_px)))
            models = _settle(halves, halves.resized(models), report)
        held_out = _held_out(halves, models)
        if n_latents is None:
            models = models.first(max(1, held_out.n_significant))
        return _join(halves, models, images, held_out, report)


def fit_half_models(
    halves: Halves,
    start: NDArray[np.float32],
    *,
    n_latents: int | None,
    report: Callable[[str], None],
) -> HalfModels:
    """Models of both halves at one resolution; arguments as in :func:`fit_linear`."""
    searched = (MOST_LATENTS if n_latents is None else n_latents) + SPARE_LATENTS
    random = torch.from_numpy(start[:, :searched]).to(halves.images.device)
    models = _settle(halves, _search(halves, random), report)
    return models.first(n_latents or max(1, _held_out(halves, models).n_significant))


def _search(halves: Halves, latents: Tensor) -> HalfModels:
    """Directions in which particles differ most, from random ones."""
    models = halves.begin(latents)
    for _ in range(_STARTING_ROUNDS):
        models = halves.improve(models, is_start=True)
    return models


def _settle(halves: Halves, models: HalfModels, report: Callable[[str], None]) -> HalfModels:
    """Rounds until the evidence no longer changes."""
    for _ in range(_MOST_ROUNDS):
        before = models.evidence
        models = halves.improve(models, is_start=False)
        if _is_settled(before, models.evidence):
            break
    report(
        f"shells 1 to {halves.images.radius_px}: log evidence {models.evidence:.2f} per particle"
    )
    return models


def _is_settled(before: float, after: float) -> bool:
    return abs(after - before) < _SETTLED * max(abs(after), 1.0)


def _agree_at_edge(fsc: Tensor) -> bool:
    """Whether maps of some latent agree in the last shells before the edge of the box."""
    return bool((fsc[1:, -4:-1].mean(1) > FSC_THRESHOLD).any())


def _held_out(halves: Halves, models: HalfModels) -> HeldOut:
    gains = halves.cross_terms(models).held_out_gains()
    increments = torch.diff(gains, dim=0, prepend=torch.zeros_like(gains[:1]))
    return HeldOut(gain=tuple(gains.mean(1).tolist()), z=_z(gains), increment_z=_z(increments))


def _z(values: Tensor) -> tuple[float, ...]:
    """Mean of each row (B,) over its standard error; 0 where nothing varies."""
    error = values.std(1) / values.shape[1] ** 0.5
    z = torch.where(error > 0, values.mean(1) / error.clamp_min(1e-30), 0.0)
    return tuple(z.tolist())


def _join(
    halves: Halves,
    models: HalfModels,
    full: Observations,
    held_out: HeldOut,
    report: Callable[[str], None],
) -> LinearFit:
    """One model of all particles, with what the halves agree on as its prior."""
    maps, precision, evidence = models.maps.mean(0), models.precision, models.evidence
    for _ in range(_MOST_ROUNDS):
        passes = halves.passes(torch.stack([maps, maps]), precision)
        found, terms = halves.in_order(passes)
        precision = noise_precision(passes, halves.window_power)
        before, evidence = evidence, float(log_evidence(terms, found).mean())
        pooled = collected(passes[0]).pooled(collected(passes[1]))
        maps = solve_basis(pooled.transformed(standard_change(found)), models.prior, halves.mask)
        if _is_settled(before, evidence):
            break
    maps, _, _ = _standardised(halves, maps, precision)
    report(f"all particles: log evidence {evidence:.2f} per particle")
    wide = halves.at(full)
    joined = wide.resized(models.with_maps(torch.stack([maps, maps]), precision))
    passes = wide.passes(joined.maps, joined.precision)
    precision = noise_precision(passes, halves.window_power)
    sums = [collected(each) for each in passes]
    weights = torch.stack([each.mean_weights() for each in sums]).mean(0)
    rough = [solve_basis(each, _WEAK_PRIOR * weights, wide.mask) for each in sums]
    fsc = torch.stack([smooth_fsc(one, other) for one, other in zip(*rough, strict=True)])
    n_known = halves.images.radius_px + 1
    fsc[:, :n_known] = models.fsc[:, :n_known]
    pooled = sums[0].pooled(sums[1])
    final = solve_basis(pooled, wiener_prior(weights, fsc), wide.mask)
    box = halves.images.box_size_px
    _, change, latents = _standardised(halves, resize_maps(final, box), precision[: box // 2 + 1])
    return LinearFit(
        maps=torch.einsum("cd,dzyx->czyx", change, final),
        half_maps=torch.stack([each[0] for each in rough]),
        latents=latents,
        fsc=fsc,
        precision=precision,
        radius_px=halves.images.radius_px,
        held_out=held_out,
        evidence=evidence,
    )


def _standardised(
    halves: Halves, maps: Tensor, precision: Tensor
) -> tuple[Tensor, Tensor, Posterior]:
    """Maps whose latents have a mean of 0 and a variance of 1, ordered by what they explain.

    Returns:
        The maps, the change (1 + K, 1 + K) that made them, and the latents.
    """
    passes = halves.passes(torch.stack([maps, maps]), precision, collect=False)
    _, terms = halves.in_order(passes)
    centre, spread = population(terms)
    root, _ = standardising(spread)
    scaled = torch.einsum("kl,kzyx->lzyx", root, maps[1:])
    weights = precision * terms.matrix.new_tensor(range(len(precision))).clamp_min(1)
    gram = grams_of(scaled, scaled, weights).cross.sum(0).to(root)
    _, axes = torch.linalg.eigh(gram)
    change = with_mean((root @ axes.flip(1)).T)
    change[0, 1:] = centre
    latents = _latents(terms, centre, change)
    signs = torch.where((latents.mean**3).sum(0) < 0, -1.0, 1.0)
    change[1:] *= signs[:, None]
    return torch.einsum("cd,dzyx->czyx", change, maps), change, _latents(terms, centre, change)


def _latents(terms: LatentTerms, centre: Tensor, change: Tensor) -> Posterior:
    """Posteriors for the maps that a change makes."""
    shifted = terms.about(centre)
    return shifted.changed(change[1:, 1:].T).posterior()
