"""Fitting a linear model: two independent halves first, then all particles with what they agree on.

Half models are fitted by expectation-maximisation at low resolution, from a random start. Shells
join while the halves agree at the highest ones. What both found, and only that, goes on: its
agreement is the prior of the model of all particles, and how well one half predicts tilts of the
other that were held out says whether there is anything to find at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch

from tomodrgn.core.linear.half_models import Halves, cores_for_halves
from tomodrgn.core.linear.joint import join_halves, normal_latents, standard_latents
from tomodrgn.core.linear.rare import RARE_ODDS, rare_odds
from tomodrgn.core.linear.weighting import mean_of, z_of_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.half_models import HalfModels
    from tomodrgn.core.linear.joint import SeenLatents, SeesErrors
    from tomodrgn.core.linear.latents import Posterior
    from tomodrgn.core.linear.observations import Observations

FIRST_RADIUS_PX: Final = 6
"""Shells to begin with: few enough that noise does not hide what particles differ in."""
SPARE_LATENTS: Final = 2
"""Latents searched for beyond those asked for, so that none of these is lost in a bad direction."""
MOST_LATENTS: Final = 8
"""Latents searched for where their number is not given."""
FEWEST_PER_LATENT: Final = 4
"""Particles of a half for each latent that is searched for: with fewer, anything fits."""
GROWING_RADIUS_PX: Final = 9
"""Shells in which latents are searched for that low resolution does not show."""
AT_A_TIME: Final = 4
"""Latents that are searched for together."""
SIGNIFICANT_Z: Final = 2.5
"""Gain on held-out tilts over its standard error from which particles are called different."""
LEAST_GAIN: Final = 3.0
"""Log likelihood that all particles together have to gain by it: what latents add to n particles by
chance or by right has a variance of twice its mean, so a gain of z errors is one of z^2 / 2 or
more. Less is a number of nearly equal ones, however sure its sign."""
USEFUL_Z: Final = 2.0
"""The same of one latent more, from which it is kept where their number is not given."""
_PROMISING_Z: Final = 1.0
"""The same at low resolution, from which a latent is followed to higher resolution."""
_NOTABLE: Final = 0.005
"""Least share of the whole gain that a latent adds, however surely."""
_STARTING_ROUNDS: Final = 5
_MOST_ROUNDS: Final = 20
_SETTLED: Final = 0.005
"""Change of the log evidence per particle, over its size, below which rounds end."""
_RADIUS_GROWTH: Final = 1.5
_ALIKE: Final = 0.02
"""Relative change of the gain on held-out tilts up to which two resolutions are alike. The finer
one of them is taken, as a model of all particles can use more shells than its halves."""
_TINY: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """What latents add to tilts that they were not fit to, each half by the model of the other.

    Attributes:
        gain: (K,) mean log likelihood per particle that the first k + 1 latents add to the mean
            map.
        z: (K,) the same over its standard error.
        increment_z: (K,) what latent k adds to those before it, over its standard error.
        log_odds: logarithm of the odds that few particles lie apart from all others.
    """

    gain: tuple[float, ...]
    z: tuple[float, ...]
    increment_z: tuple[float, ...]
    log_odds: float = float("-inf")

    @property
    def has_rare(self) -> bool:
        """Whether few particles lie apart."""
        return self.log_odds > RARE_ODDS

    def differs(self, n_particles: int) -> bool:
        """Whether n particles differ in what the model describes."""
        return any(
            z > SIGNIFICANT_Z and n_particles * gain > LEAST_GAIN
            for z, gain in zip(self.z, self.gain, strict=True)
        )

    def n_useful(self, least_z: float) -> int:
        """Latents up to the last that adds something and with which there is a gain in all."""
        added = np.diff(self.gain, prepend=0.0) > _NOTABLE * max(self.gain)
        tested = enumerate(zip(self.z, self.increment_z, added, strict=True), 1)
        return max(
            (k for k, (z, more, notable) in tested if min(z, more) > least_z and notable), default=0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearFit:
    """A linear model of B particles.

    Attributes:
        maps: (1 + K, D, D, D) mean and basis maps, in the scale of the images.
        half_maps: (2, D, D, D) mean maps of either half, not filtered.
        latents: their posteriors.
        seen: what the images of each particle say of standard normal latents, with maps of other
            particles.
        normal_change: (1 + K, 1 + K) from ``maps`` to those of standard normal latents.
        fsc: (1 + K, D/2 + 1) agreement of half models.
        precision: (D/2 + 1,) of the noise of an independent coefficient.
        radius_px: shells in which latents were inferred.
        shell_weights: (D/2 + 1,) what images say of a coefficient there, 0 beyond.
        held_out: what latents are worth, in the order of the half models.
        evidence: mean log evidence per particle, over the mean map alone.
        half_models: models of the halves, in those shells.
    """

    maps: Tensor
    half_maps: Tensor
    latents: Posterior
    seen: SeenLatents
    normal_change: Tensor
    fsc: Tensor
    precision: Tensor
    radius_px: int
    shell_weights: Tensor
    held_out: HeldOut
    evidence: float
    half_models: HalfModels

    @property
    def is_heterogeneous(self) -> bool:
        """Whether latents predict held-out tilts better, errors of poses being no part of it."""
        return self.held_out.differs(len(self.latents.mean))


def fit_linear(
    images: Observations,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    start: NDArray[np.float32],
    *,
    n_latents: int | None,
    window_power: float,
    report: Callable[[str], None],
    errors: SeesErrors | None = None,
) -> LinearFit:
    """Fit a linear model.

    Args:
        images: all coefficients of B particles.
        rows: the particles of both halves.
        start: (B, >= K) standard normal numbers.
        n_latents: K; None finds it.
        window_power: mean square of the window of the images.
        report: takes a line about each stage.
        errors: of poses and contrast, which posteriors of latents are to allow for.
    """
    with cores_for_halves(images.device):
        first = images.to_radius(min(FIRST_RADIUS_PX, images.radius_px))
        search = Search(start, n_latents, report)
        stage = search_halves(Halves(first, rows, window_power), images, search)
        halves, models, held_out = _raise_resolution(stage, images, report)
        if n_latents is None:
            models = models.first(max(1, held_out.n_useful(USEFUL_Z)))
        return _joined(
            halves,
            models,
            held_out,
            images=images,
            order=start[:, 0],
            errors=errors,
            report=report,
        )


def widen_linear(
    fit: LinearFit,
    images: Observations,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    start: NDArray[np.float32],
    *,
    window_power: float,
    report: Callable[[str], None],
    errors: SeesErrors | None = None,
) -> LinearFit:
    """A model with every latent that both halves know of, for those who can use many.

    A fit keeps the latents that are found at low resolution. Here more are searched for beside
    them, a few at a time, at a medium one, as long as each half predicts the other better by them.

    Args:
        fit: the model to begin with, which is returned where there is no more to find.
        images: that it was fitted to.
        rows: the particles of both halves.
        start: (B, L) standard normal numbers, L as many latents as are searched for at most.
        window_power: mean square of the window of the images.
        report: takes a line about each stage.
        errors: of poses and contrast, which posteriors of latents are to allow for.
    """
    with cores_for_halves(images.device):
        n_known = len(fit.maps) - 1
        radius_px = min(fit.radius_px, GROWING_RADIUS_PX)
        halves = Halves(images.to_radius(radius_px), rows, window_power)
        models = grow_half_models(halves, halves.resized(fit.half_models), start, report)
        if models.n_latents == n_known:
            return fit
        halves = halves.at(images.to_radius(fit.radius_px))
        models = _settle(halves, halves.resized(models), report)
        held_out = _held_out(halves, models)
        n_useful = held_out.n_useful(USEFUL_Z)
        if n_useful <= n_known:
            return fit
        models = models.first(n_useful)
        return _joined(
            halves,
            models,
            held_out,
            images=images,
            order=start[:, 0],
            errors=errors,
            report=report,
        )


def grow_half_models(
    halves: Halves,
    models: HalfModels,
    start: NDArray[np.float32],
    report: Callable[[str], None],
) -> HalfModels:
    """Models with further latents; arguments as in :func:`widen_linear`."""
    random = torch.from_numpy(start).to(halves.images.device)
    supported = min(len(rows) for rows in halves.rows) // FEWEST_PER_LATENT
    while True:
        known = models.n_latents
        more = random[:, known : min(known + AT_A_TIME, supported)]
        if not more.shape[1]:
            return models
        grown = halves.grown(models, more)
        for _ in range(_STARTING_ROUNDS):
            grown = halves.improve(grown, is_start=True)
        grown = _settle(halves, grown, report)
        useful = _held_out(halves, grown).n_useful(USEFUL_Z)
        if useful <= known:
            return models
        models = grown.first(useful)


def _joined(
    halves: Halves,
    models: HalfModels,
    held_out: HeldOut,
    *,
    images: Observations,
    order: NDArray[np.float32],
    errors: SeesErrors | None,
    report: Callable[[str], None],
) -> LinearFit:
    """The model of all particles whose halves were fitted, with all shells of ``images``."""
    joint = join_halves(halves, models, report)
    seen = joint.cross_validated_terms(order, errors)
    latents, change = standard_latents(seen.terms, images.weights)
    normal, normal_change = normal_latents(seen, images.weights)
    wide = joint.at_full_resolution(images)
    return LinearFit(
        maps=torch.einsum("cd,dzyx->czyx", change, wide.maps),
        half_maps=wide.half_maps,
        latents=latents,
        seen=normal,
        normal_change=normal_change @ torch.linalg.inv(change),
        fsc=wide.fsc,
        precision=wide.precision,
        radius_px=halves.images.radius_px,
        shell_weights=wide.shell_weights,
        held_out=held_out,
        evidence=joint.evidence,
        half_models=models,
    )


def fit_half_models(
    halves: Halves,
    start: NDArray[np.float32],
    *,
    n_latents: int | None,
    report: Callable[[str], None],
) -> HalfModels:
    """Models of both halves at one resolution; arguments as in :func:`fit_linear`."""
    supported = min(len(rows) for rows in halves.rows) // FEWEST_PER_LATENT
    most = MOST_LATENTS + SPARE_LATENTS if n_latents is None else n_latents + SPARE_LATENTS
    searched = max(n_latents or 1, min(most, supported))
    random = torch.from_numpy(start[:, :searched]).to(halves.images.device)
    models = _settle(halves, _search(halves, random), report)
    return models.first(n_latents or max(1, _held_out(halves, models).n_useful(_PROMISING_Z)))


class Search(NamedTuple):
    """How directions are searched for; see :func:`fit_half_models`."""

    start: NDArray[np.float32]
    n_latents: int | None
    report: Callable[[str], None]


class Stage(NamedTuple):
    """Models of both halves at one resolution, and what they are worth."""

    halves: Halves
    models: HalfModels
    held_out: HeldOut


def search_halves(halves: Halves, full: Observations, search: Search) -> Stage:
    """Directions that tell particles apart, which few shells may not show.

    What few particles differ in takes more shells to be seen among all directions of noise: where
    nothing is found, it is searched for once more.

    Args:
        halves: of the particles, at the resolution to begin with.
        full: all coefficients of their images.
        search: how.
    """
    stage = _searched(halves, search)
    grown = min(int(np.ceil(_RADIUS_GROWTH * halves.images.radius_px)), full.radius_px)
    is_found = stage.held_out.has_rare or stage.held_out.differs(full.particles.n_particles)
    if is_found or grown == halves.images.radius_px:
        return stage
    again = _searched(halves.at(full.to_radius(grown)), search)
    return again if again.held_out.has_rare else stage


def _searched(halves: Halves, search: Search) -> Stage:
    models = fit_half_models(halves, search.start, n_latents=search.n_latents, report=search.report)
    return Stage(halves, models, _held_out(halves, models))


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


def _raise_resolution(stage: Stage, full: Observations, report: Callable[[str], None]) -> Stage:
    """More shells, as long as these make each half predict the other better."""
    halves, models, held_out = stage
    while halves.images.radius_px < full.radius_px:
        grown = int(np.ceil(_RADIUS_GROWTH * halves.images.radius_px))
        finer = halves.at(full.to_radius(min(grown, full.radius_px)))
        better = _settle(finer, finer.resized(models), report)
        found = _held_out(finer, better)
        change = max(found.gain) / max(*held_out.gain, _TINY)
        if change < 1 - _ALIKE or (held_out.has_rare and found.log_odds < held_out.log_odds):
            break
        halves, models, held_out = finer, better, found
        if change < 1 + _ALIKE:
            break
    return Stage(halves, models, held_out)


def _held_out(halves: Halves, models: HalfModels) -> HeldOut:
    terms = halves.cross_terms(models)
    gains = terms.held_out_gains()
    increments = torch.diff(gains, dim=0, prepend=torch.zeros_like(gains[:1]))
    weights = halves.images.weights
    return HeldOut(
        gain=tuple(mean_of(gains.T, weights).tolist()),
        z=tuple(z_of_mean(gains, weights).tolist()),
        increment_z=tuple(z_of_mean(increments, weights).tolist()),
        log_odds=rare_odds(terms.matrix.sum(1).double(), terms.vector.sum(1).double()),
    )
