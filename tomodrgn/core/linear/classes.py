"""Classes of particles by expectation-maximisation: who belongs together, and is it true?

Class maps of two independent halves are fitted at low resolution first; shells join while the
halves agree on what distinguishes some class. How well the classes of one half predict tilts of
the other that were held out says whether there are classes at all. Then all particles are
classified with what the halves agree on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.linear.classes_halves import ClassHalves, HalfClasses
from tomodrgn.core.linear.classes_held_out import (
    ClassGain,
    class_gain,
    held_out_gains,
    one_map_gains,
)
from tomodrgn.core.linear.classes_passes import run_class_pass
from tomodrgn.core.linear.fit import FIRST_RADIUS_PX
from tomodrgn.core.linear.half_models import cores_for_halves, run_both
from tomodrgn.core.reconstruction.insertion import FourierSums
from tomodrgn.core.reconstruction.resolution import FSC_THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.observations import Observations

_MOST_ROUNDS: Final = 25
_SETTLED: Final = 1e-3
"""Mean change of the share of a particle in a class below which rounds end."""
_RADIUS_GROWTH: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFit:
    """Classes of B particles, the largest first.

    Attributes:
        posterior: (B, K) probability of each class.
        weights: (K,) share of particles in each class.
        held_out: what classes are worth.
        log_likelihood: mean per particle, over that of one map for all.
        radius_px: shells by which particles were told apart.
        rounds: of expectation and maximisation.
        is_settled: whether they ended because nothing changed any more.
        half_classes: class maps of the halves, in those shells.
    """

    posterior: Tensor
    weights: Tensor
    held_out: ClassGain
    log_likelihood: float
    radius_px: int
    rounds: int
    is_settled: bool
    half_classes: HalfClasses

    @property
    def labels(self) -> NDArray[np.int64]:
        """(B,) most probable class."""
        labels: NDArray[np.int64] = self.posterior.argmax(1).cpu().numpy()
        return labels


def first_halves(
    images: Observations,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    window_power: float,
) -> ClassHalves:
    """The halves at the resolution that classes start with; arguments as in `fit_linear`."""
    first = images.to_radius(min(FIRST_RADIUS_PX, images.radius_px))
    return ClassHalves(first, rows, window_power)


def fit_classes(
    halves: ClassHalves,
    images: Observations,
    starts: Sequence[Tensor],
    keys: NDArray[np.uint64],
    report: Callable[[str], None],
) -> ClassFit:
    """Classify particles.

    Args:
        halves: of B particles, at the resolution to start with.
        images: all their coefficients.
        starts: (B, K) shares in the classes to start from, of which those are taken that predict
            held-out tilts best; classes of either half belong together.
        keys: (B,) of the particles; they decide between classes of one size.
        report: takes a line about each stage.
    """
    with cores_for_halves(images.device):
        tries = [_settled(halves, halves.begin(shares), report) for shares in starts]
        stage, rounds = max(tries, key=lambda tried: tried[0].held_out.gain)
        while stage.grows and stage.halves.images.radius_px < images.radius_px:
            grown = int(np.ceil(_RADIUS_GROWTH * stage.halves.images.radius_px))
            finer = halves.at(images.to_radius(min(grown, images.radius_px)))
            candidate, more = _settled(finer, finer.resized(stage.models), report)
            rounds += more
            if candidate.held_out.gain < stage.held_out.gain:
                break
            stage = candidate
        quarters = stage.halves.quartered(keys)
        models = replace(stage.models, maps=stage.models.maps[[1, 1, 0, 0]])
        joined, more, is_settled = _repeat(quarters.improve_together, models)
    report(f"all particles: log likelihood +{joined.evidence:.2f} per particle over one map")
    order = torch.from_numpy(_by_size(joined.shares, keys)).to(joined.shares.device)
    return ClassFit(
        posterior=joined.shares[:, order],
        weights=joined.weights[order],
        held_out=stage.held_out,
        log_likelihood=joined.evidence,
        radius_px=stage.halves.images.radius_px,
        rounds=rounds + more,
        is_settled=is_settled,
        half_classes=stage.models,
    )


def sums_of_class(
    images: Observations, rows: tuple[NDArray[np.int64], NDArray[np.int64]], share: Tensor
) -> FourierSums:
    """Sums of both halves of a class, of which particle b is a member by ``share`` (B,)."""
    box = images.box_size_px
    nothing = torch.zeros(2, box, box, box, device=images.device)
    evenly = torch.ones(box // 2 + 1, device=images.device)

    def one(half: int) -> FourierSums:
        found = run_class_pass(
            images, rows[half], nothing, evenly, lambda particles, _: share[particles, None]
        )
        return found.collected()

    first, second = (each.grids for each in run_both(one, images))
    return FourierSums(box, *(torch.cat(pair) for pair in zip(first, second, strict=True)))


@dataclass(frozen=True, slots=True)
class _Stage:
    """Models of both halves at one resolution, and what they are worth."""

    halves: ClassHalves
    models: HalfClasses
    held_out: ClassGain

    @property
    def grows(self) -> bool:
        """Whether finer shells can help: there are classes, and the halves agree at the edge."""
        at_edge = self.models.fsc[1:, -4:-1].mean(1)
        return self.held_out.gain > 0 and bool((at_edge > FSC_THRESHOLD).any())


def _settled(
    halves: ClassHalves, models: HalfClasses, report: Callable[[str], None]
) -> tuple[_Stage, int]:
    """Models after rounds in which particles settle in their classes, and the number of these."""
    models, rounds, _ = _repeat(halves.improve, models)
    held_out = _held_out(halves, models)
    report(
        f"shells 1 to {halves.images.radius_px}: classes add {held_out.gain:.2f} to the log "
        f"likelihood of held-out tilts per particle, {held_out.z:.1f} standard errors "
        f"(rounds: {rounds})"
    )
    return _Stage(halves, models, held_out), rounds


def _repeat(
    improve: Callable[[HalfClasses], HalfClasses], models: HalfClasses
) -> tuple[HalfClasses, int, bool]:
    for rounds in range(1, _MOST_ROUNDS + 1):
        before, models = models, improve(models)
        if float((models.shares - before.shares).abs().mean()) < _SETTLED:
            return models, rounds, True
    return models, _MOST_ROUNDS, False


def _held_out(halves: ClassHalves, models: HalfClasses) -> ClassGain:
    """Gain of classes on the particles of the half that they were not fitted to."""
    weights = models.weights.expand(2, 1, -1)
    passes = halves.passes(models.maps.flip(0), models.precision, weights, collect=False)
    gains = halves.in_order([each.gains for each in passes])
    predicted = held_out_gains(gains, models.weights[None])[:, 0]
    counts = halves.images.weights
    return class_gain(predicted - one_map_gains(gains, counts), counts)


def _by_size(shares: Tensor, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Classes by their members, most first; of equal ones, that of the particle of lowest key."""
    n_classes = shares.shape[1]
    labels = shares.argmax(1).cpu().numpy()
    lowest = np.full(n_classes, np.iinfo(np.uint64).max)
    np.minimum.at(lowest, labels, keys)
    return np.lexsort((lowest, -np.bincount(labels, minlength=n_classes)))
