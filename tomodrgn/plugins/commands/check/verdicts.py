"""Which assumptions the data support, contradict, or cannot decide.

Where an alternative is clearly better, the best one is taken for true, and the others are compared
again under it, so that one fault is named once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tomodrgn.core.inspection import alternatives as tried
from tomodrgn.core.inspection.comparison import (
    CLEARLY_BETTER_Z,
    DOUBTFUL_Z,
    FEWEST_PARTICLES,
    paired_z,
    student_limit,
)
from tomodrgn.core.inspection.likelihood import fit
from tomodrgn.core.inspection.tilt_order import share_in_order
from tomodrgn.plugins.commands.check.search import Search
from tomodrgn.plugins.commands.check.signal_power import central_excess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from tomodrgn.core.inspection.comparison import Comparison, Decision, Ground
    from tomodrgn.core.inspection.fault_names import FaultId
    from tomodrgn.core.inspection.likelihood import Fit
    from tomodrgn.core.inspection.sample import Sample
    from tomodrgn.core.inspection.state import NoiseEvidence

_FROM_WORST: Final[tuple[Decision, ...]] = (
    "contradicted", "doubtful", "undecided", "supported",
)  # fmt: skip
_PRESENT_Z: Final = 12.0
"""Excess of power in the middle of images at which poses that match would be seen to; they are at
a third of it."""
_BETWEEN_TILTS: Final = frozenset({tried.DOSE_STATE, tried.DOSE_ORDER, tried.TILT})
_FEWEST_TO_MATCH: Final = 2 * FEWEST_PARTICLES
"""Particles of which half may be expected to predict the other half."""
_HALF_IN_ORDER: Final = 0.5
"""Share of the differences between tilts below which more images than not lie in another order."""
_SMALL_LOSS: Final = 0.3
"""Part of what is explained that images in no order may lose, and still be as good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is thought of one assumption.

    Attributes:
        assumption: its name.
        decision: supported where every alternative is clearly worse.
        comparisons: one per alternative that could be tried, the best first.
        rivals: other faults that explain images as well as the best; with any, images contradict
            the metadata, and which of the faults it is cannot be decided.
    """

    assumption: str
    decision: Decision
    comparisons: tuple[Comparison, ...]
    rivals: tuple[Comparison, ...] = ()

    @property
    def fault(self) -> FaultId | None:
        """What the metadata suffer from, if it is known."""
        if self.decision != "contradicted" or self.rivals:
            return None
        return self.comparisons[0].alternative.fault

    @property
    def candidates(self) -> tuple[FaultId, ...]:
        """What they may suffer from, where images contradict them and cannot tell more."""
        if self.decision != "contradicted" or not self.rivals:
            return ()
        faults = [each.alternative.fault for each in (self.comparisons[0], *self.rivals)]
        return tuple(dict.fromkeys(faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All verdicts, and the fits they rest on.

    Attributes:
        verdicts: whether images and rows match, then one per assumption.
        given: the fit of the metadata as they are.
        corrected: the fit with every fault corrected; ``given`` where there is none.
        best: the sample with every fault corrected.
        gain: (B,) what the prediction adds to the log likelihood, after correction.
        excess_z: how clearly images vary more in their middle than at their edge.
        signal_z: how clearly maps of one half predict images of the other, after correction.
    """

    verdicts: tuple[Verdict, ...]
    given: Fit
    corrected: Fit
    best: Sample
    gain: Tensor
    excess_z: float
    signal_z: float


def judge(
    sample: Sample, progress: Callable[[int, int], None], noise: NoiseEvidence | None = None
) -> Judgement:
    """Try every alternative on a sample.

    Args:
        sample: images and metadata.
        progress: told how many alternatives of all are tried; faults add to them.
        noise: what the noise of images says of their state; without it maps alone decide.
    """
    if was_cropped(sample, noise):
        sample = replace(sample, filtered_in=2)
    search = Search(sample, noise)
    found = search.run(progress)
    excess_z = paired_z(central_excess(sample))
    verdicts = [_verdict(name, found, search.rivals(name)) for name in tried.ASSUMPTIONS]
    is_seen = any(v.assumption in tried.POSES and v.decision == "supported" for v in verdicts)
    signal_z = paired_z(search.best.gain)
    is_present = excess_z > _PRESENT_Z and not is_seen and sample.n_particles >= _FEWEST_TO_MATCH
    scrambled = search.against_chance()
    match = _match(scrambled, signal_z, is_present=is_present, order=order_of_tilts(search.best))
    verdicts = [beside_order_of_tilts(verdict, scrambled) for verdict in verdicts]
    if match.fault:
        verdicts = [set_aside(verdict) for verdict in verdicts]
    return Judgement(
        verdicts=(match, *verdicts),
        given=search.given.base,
        corrected=search.best.base,
        best=search.best.sample,
        gain=search.best.gain,
        excess_z=excess_z,
        signal_z=signal_z,
    )


def was_cropped(sample: Sample, noise: NoiseEvidence | None) -> bool:
    """Whether images were transferred in a larger box: by noise, or by all of images.

    Noise that surrounds particles may be too little to tell: of masked images, or where the signal
    of bright particles reaches there. Where it says that images were not multiplied, their transfer
    is wrong, and a crop would hide it.
    """
    if noise is not None and noise.is_cropped():
        return True
    is_multiplied = any(group.state.ctf_premultiplied for group in sample.optics)
    is_open = is_multiplied and (noise is None or noise.is_unclear())
    if not (sample.is_masked or is_open):
        return False
    own, larger = fit(sample), fit(replace(sample, filtered_in=2))
    return float(larger.likelihood.sum()) > float(own.likelihood.sum())


def _verdict(
    assumption: str, comparisons: Sequence[Comparison], rivals: tuple[Comparison, ...]
) -> Verdict:
    own = [c for c in comparisons if c.alternative.assumption == assumption]
    own.sort(key=lambda c: (c.decision == "contradicted", c.difference), reverse=True)
    decisions = {c.decision for c in own}
    for decision in _FROM_WORST:
        if decision in decisions:
            return Verdict(
                assumption=assumption, decision=decision, comparisons=tuple(own), rivals=rivals
            )
    return Verdict(assumption=assumption, decision="undecided", comparisons=())


def order_of_tilts(ground: Ground) -> Decision:
    """Whether images of particles lie in the order of their rows, or in any order.

    Clearly less than half of what is predicted of the differences between tilts is seen then. It
    takes more for a match than for scrambled images to be worse, as halves that predict each other
    by chance do it both ways.
    """
    n = ground.sample.n_particles
    if n < FEWEST_PARTICLES:
        return "undecided"
    share, error = share_in_order(ground.sample, ground.base)
    is_less = share + student_limit(CLEARLY_BETTER_Z, n) * error < _HALF_IN_ORDER
    if is_less and n >= _FEWEST_TO_MATCH:
        return "contradicted"
    return "supported" if share > student_limit(DOUBTFUL_Z, n) * error else "undecided"


def _match(
    scrambled: Sequence[Comparison], signal_z: float, *, is_present: bool, order: Decision
) -> Verdict:
    """Whether images belong to their rows: in no order they must be explained clearly worse.

    Or the differences between tilts are seen where rows say. Where neither is so, it is a fault
    only if the images of particles are seen to lie in any order, or if they hold something that
    could have been explained, no change of the poses is clearly worse (poses that say something of
    images are theirs), and nothing is predicted, or hardly less in no order. Few particles, or junk
    among them, may leave it open.
    """
    loss = -max((c.gain for c in scrambled), default=0.0)
    is_alike = signal_z < CLEARLY_BETTER_Z or loss < _SMALL_LOSS
    decision: Decision = "undecided"
    if order == "supported" or all(c.decision == "supported" for c in scrambled):
        decision = "supported"
    elif order == "contradicted" or (is_present and is_alike):
        decision = "contradicted"
    by_z = sorted(scrambled, key=lambda c: c.z, reverse=True)
    return Verdict(assumption=tried.MATCH, decision=decision, comparisons=tuple(by_z))


def beside_order_of_tilts(verdict: Verdict, scrambled: Sequence[Comparison]) -> Verdict:
    """A verdict on what differs between the tilts of a particle, beside their order.

    Where tilts in any order are as good, a contradiction may also come from their order.
    """
    if verdict.decision != "contradicted" or verdict.assumption not in _BETWEEN_TILTS:
        return verdict
    alike = (
        c for c in scrambled
        if c.alternative.name == tried.SCRAMBLED_TILTS and c.decision != "supported"
    )  # fmt: skip
    return replace(verdict, rivals=(*verdict.rivals, *alike))


def set_aside(verdict: Verdict) -> Verdict:
    """A verdict on images that do not belong to their rows: a contradiction means little."""
    if verdict.decision != "contradicted":
        return verdict
    return replace(verdict, decision="doubtful", rivals=())
