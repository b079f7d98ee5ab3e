"""Which assumptions the data support, contradict, or cannot decide.

Alternatives are compared with the metadata on the same particles: the mean difference of their log
likelihoods over its standard error is z. Where an alternative is clearly better, the best one is
taken for true, and the others are compared again under it, so that one fault is named once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import torch

from tomodrgn.core.inspection import alternatives as tried
from tomodrgn.core.inspection.likelihood import Fit, blind_likelihood, fit
from tomodrgn.core.inspection.presence import central_excess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from tomodrgn.core.inspection.alternatives import Alternative
    from tomodrgn.core.inspection.fault_names import FaultId
    from tomodrgn.core.inspection.sample import Sample

Decision = Literal["supported", "contradicted", "undecided"]

CLEARLY_BETTER_Z: Final = 5.0
"""About one false alarm in three million comparisons."""
CLEARLY_WORSE_Z: Final = 3.0
_FEWEST_PARTICLES: Final = 8
_MOST_FAULTS: Final = 3
_TINY: Final = 1e-9
_NOTABLE: Final = 0.01
"""Least gain, in units of what is explained, of alternatives that change the
shape of transfer functions: no model of the contrast or the damage is exact."""
_NOTABLE_OPPOSITE: Final[dict[str, float]] = {
    tried.HEIGHT: 2e-4,
    tried.TILT: 2e-4,
    tried.DOSE_ORDER: 2e-3,
}
"""The same where the alternative is the mirror image of the metadata: no better by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """An alternative against the metadata.

    Attributes:
        alternative: what was tried.
        z: mean difference of log likelihoods over its standard error; positive where the
            alternative is better.
        difference: mean difference of log likelihoods, per particle.
        gain: the same, in units of what the better of both explains.
        halves: z of either half of the particles alone, which are judged by other maps.
        decision: about the metadata.
    """

    alternative: Alternative
    z: float
    difference: float
    gain: float
    halves: tuple[float, float]
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is thought of one assumption.

    Attributes:
        assumption: its name.
        decision: supported where every alternative is clearly worse.
        comparisons: one per alternative that could be tried, the best first.
    """

    assumption: str
    decision: Decision
    comparisons: tuple[Comparison, ...]

    @property
    def fault(self) -> FaultId | None:
        """What the metadata suffer from, if anything."""
        return self.comparisons[0].alternative.fault if self.decision == "contradicted" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All verdicts, and the fits they rest on.

    Attributes:
        verdicts: one per assumption, in the order in which they are tried.
        given: the fit of the metadata as they are.
        corrected: the fit with every fault corrected; ``given`` where there is none.
        best: the sample with every fault corrected.
        gain: (B,) what the prediction adds to the log likelihood, after correction.
        scrambled: the metadata against images in no order.
        excess: (B,) how much more images vary in their middle than at their edge.
        signal_z: how clearly maps of one half predict images of the other, after correction.
    """

    verdicts: tuple[Verdict, ...]
    given: Fit
    corrected: Fit
    best: Sample
    gain: Tensor
    scrambled: tuple[Comparison, ...]
    excess: Tensor
    signal_z: float


def judge(sample: Sample, progress: Callable[[int, int], None]) -> Judgement:
    """Try every alternative on a sample.

    Args:
        sample: images and metadata.
        progress: told how many alternatives of all are tried; faults add to them.
    """
    given = base = fit(sample)
    gain = base.likelihood - blind_likelihood(sample, base.noise)
    faults: dict[str, list[Comparison]] = {}
    while True:
        open_ones = [a for a in tried.alternatives() if a.assumption not in faults]
        comparisons = []
        for place, alternative in enumerate(open_ones):
            comparison = _compare(sample, base, float(gain.mean()), alternative)
            comparisons += [] if comparison is None else [comparison]
            progress(place + 1, len(open_ones))
        worst = _worst(comparisons)
        if worst is None or len(faults) == _MOST_FAULTS:
            break
        assumption = worst.alternative.assumption
        faults[assumption] = [c for c in comparisons if c.alternative.assumption == assumption]
        changed = worst.alternative.change(sample)
        assert changed is not None  # noqa: S101  it was compared
        sample, base = changed, fit(changed)
        gain = base.likelihood - blind_likelihood(sample, base.noise)
    found = [*comparisons, *(each for fault in faults.values() for each in fault)]
    return Judgement(
        verdicts=tuple(_verdict(name, found) for name in tried.ASSUMPTIONS),
        given=given,
        corrected=base,
        best=sample,
        gain=gain,
        scrambled=tuple(_against_chance(sample, base, float(gain.mean()))),
        excess=central_excess(sample),
        signal_z=paired_z(gain),
    )


def paired_z(differences: Tensor) -> float:
    """Mean over its standard error; 0 where all are equal or there are too few."""
    n = len(differences)
    if n < _FEWEST_PARTICLES:
        return 0.0
    spread = float(differences.std())
    return float(differences.mean()) / (spread / np.sqrt(n)) if spread > 0 else 0.0


def student_limit(z: float, n: int) -> float:
    """The value that a mean of n over its estimated error passes as rarely as a normal number z.

    Source:
        First term of the Cornish-Fisher expansion, Abramowitz & Stegun 26.7.5.
    """
    return z + (z**3 + z) / (4 * max(n - 1, 1))


def _compare(
    sample: Sample, base: Fit, worth: float, alternative: Alternative
) -> Comparison | None:
    """An alternative against a fit whose prediction adds ``worth`` to the log likelihood."""
    changed = alternative.change(sample)
    if changed is None:
        return None
    other = fit(changed, base.noise)
    differences = other.likelihood - base.likelihood
    z, difference, n = paired_z(differences), float(differences.mean()), len(differences)
    gain = difference / max(worth, worth + difference, _TINY)
    notable = _NOTABLE_OPPOSITE.get(alternative.assumption, _NOTABLE)
    decision: Decision = "undecided"
    if z > student_limit(CLEARLY_BETTER_Z, n) and gain > notable:
        decision = "contradicted"
    elif z < -student_limit(CLEARLY_WORSE_Z, n):
        decision = "supported"
    half = sample.half[_first_images(sample)]
    return Comparison(
        alternative=alternative,
        z=z,
        difference=difference,
        gain=gain,
        halves=(paired_z(differences[half == 0]), paired_z(differences[half == 1])),
        decision=decision,
    )


def _first_images(sample: Sample) -> Tensor:
    """(B,) the first image of each particle."""
    counts = torch.bincount(sample.particle)
    return torch.cumsum(counts, 0) - counts


def _against_chance(sample: Sample, base: Fit, worth: float) -> Iterator[Comparison]:
    """Images in no order against a fit."""
    for alternative in tried.scrambles():
        comparison = _compare(sample, base, worth, alternative)
        if comparison is not None:
            yield comparison


def _worst(comparisons: Sequence[Comparison]) -> Comparison | None:
    """The contradiction by the alternative that gains most."""
    contradictions = [c for c in comparisons if c.decision == "contradicted"]
    return max(contradictions, key=lambda c: c.difference, default=None)


def _verdict(assumption: str, comparisons: Sequence[Comparison]) -> Verdict:
    own = [c for c in comparisons if c.alternative.assumption == assumption]
    own.sort(key=lambda c: (c.decision == "contradicted", c.difference), reverse=True)
    decisions = [c.decision for c in own]
    decision: Decision = "undecided"
    if "contradicted" in decisions:
        decision = "contradicted"
    elif own and "undecided" not in decisions:
        decision = "supported"
    return Verdict(assumption=assumption, decision=decision, comparisons=tuple(own))
