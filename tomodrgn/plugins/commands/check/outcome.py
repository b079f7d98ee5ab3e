"""Everything that a check found, and whether the input passed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from tomodrgn.core.inspection.alternatives import MATCH, POSES, Alternative
from tomodrgn.core.inspection.comparison import (
    CLEARLY_BETTER_Z,
    CLEARLY_WORSE_Z,
    Comparison,
    Decision,
    paired_z,
    student_limit,
)
from tomodrgn.core.inspection.fault_names import fault_name
from tomodrgn.core.inspection.findings import Finding
from tomodrgn.plugins.commands.check.contrast import density_skewness
from tomodrgn.plugins.commands.check.verdicts import Judgement, Verdict, set_aside

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from tomodrgn.core.inspection.contract import Contract
    from tomodrgn.core.inspection.fault_names import FaultId
    from tomodrgn.core.inspection.sample import Sample
    from tomodrgn.plugins.commands.check.gray_levels import GrayLevelFacts

CONTRAST: Final = "contrast"
Result = Literal["passed", "wrong", "undecided"]
N_GROUPS: Final = 8
"""Groups of particles that the error of the contrast comes from."""

_POOR: Final = 0.1
"""Part of the usual worth of a prediction below which a tomogram is named."""
_FEWEST_IN_TOMOGRAM: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a check found.

    Attributes:
        contract: the set in numbers.
        findings: faults and warnings of metadata and pixels.
        verdicts: of the assumptions; empty where they were not tried.
        not_tried: why they were not.
        gray_levels: of the images; None where nobody looked.
        n_particles: particles that they were tried on.
        n_images: images of these.
        resolution_a: finest detail that was looked at, in angstrom.
        signal_z: how clearly one half of them predicts the other.
        excess_z: how clearly images hold something in their middle.
    """

    contract: Contract
    findings: tuple[Finding, ...]
    verdicts: tuple[Verdict, ...] = ()
    not_tried: str = ""
    gray_levels: GrayLevelFacts | None = None
    n_particles: int = 0
    n_images: int = 0
    resolution_a: float | None = None
    signal_z: float | None = None
    excess_z: float | None = None

    @property
    def fault_ids(self) -> list[FaultId | str]:
        """All faults, findings first."""
        found: list[FaultId | str] = [
            finding.about for finding in self.findings if finding.weight == "fault"
        ]
        wrong = [verdict.fault for verdict in self.verdicts if verdict.fault is not None]
        return list(dict.fromkeys([*found, *wrong]))

    @property
    def faults(self) -> list[str]:
        """All faults in words."""
        return [fault_name(fault) for fault in self.fault_ids]

    @property
    def blocking(self) -> str:
        """What is so wrong that images cannot speak of other assumptions; empty if nothing is."""
        named = dict.fromkeys(finding.subject for finding in self.findings if finding.stops_trials)
        return ", ".join(named) and f"first correct: {', '.join(named)}"

    @property
    def candidates(self) -> list[FaultId]:
        """Faults of which images cannot tell which it is, though they contradict the metadata."""
        return list(dict.fromkeys(fault for v in self.verdicts for fault in v.candidates))

    @property
    def has_signal(self) -> bool:
        """Whether images support that rows are theirs, or anything about their poses."""
        return any(
            v.assumption in {MATCH, *POSES} and v.decision == "supported" for v in self.verdicts
        )

    @property
    def all_were_tried(self) -> bool:
        """Whether assumptions were tried on all particles of the set."""
        return self.n_particles >= self.contract.n_particles

    @property
    def result(self) -> Result:
        """Wrong where a fault is known or one of several candidates is; else whether images agree.

        Passed is what images support: where they were not looked at, or cannot tell whether they
        belong to the metadata, the result is undecided.
        """
        if self.fault_ids or self.candidates:
            return "wrong"
        return "passed" if self.has_signal and not self.doubts else "undecided"

    @property
    def doubts(self) -> list[Finding]:
        """Findings that no test on images settles, and with which nothing passes."""
        return [finding for finding in self.findings if finding.leaves_open]

    def as_json(self) -> dict[str, Any]:
        """The outcome as JSON values."""
        return {
            "result": self.result,
            "passed": self.result == "passed",
            "faults": self.faults,
            "fault_ids": self.fault_ids,
            "candidates": self.candidates,
            "not_tried": self.not_tried,
            "contract": asdict(self.contract),
            "gray_levels": None if self.gray_levels is None else self.gray_levels.as_json(),
            "findings": [_finding_json(finding) for finding in self.findings],
            "tried_on": {
                "particles": self.n_particles,
                "images": self.n_images,
                "resolution_a": self.resolution_a,
                "signal_z": self.signal_z,
                "excess_z": self.excess_z,
            },
            "verdicts": [_verdict_json(verdict) for verdict in self.verdicts],
        }


def judge_contrast(sample: Sample, judgement: Judgement) -> Verdict:
    """Whether density is bright, in the best map that was found."""
    skewness, z = density_skewness(judgement.best, judgement.corrected.agreement, N_GROUPS)
    inverted = sample.optics[0].state.inverted
    dark = Alternative(
        CONTRAST,
        "contrast",
        "contrast is inverted",
        "--uninvert-data" if inverted else "--invert-data",
        lambda _: None,
    )
    decision: Decision = "undecided"
    if z < -student_limit(CLEARLY_BETTER_Z, N_GROUPS):
        decision = "contradicted"
    elif z > student_limit(CLEARLY_WORSE_Z, N_GROUPS):
        decision = "supported"
    comparison = Comparison(
        alternative=dark,
        z=-z,
        difference=-skewness,
        gain=-skewness,
        halves=(-z, -z),
        decision=decision,
    )
    verdict = Verdict(assumption=CONTRAST, decision=decision, comparisons=(comparison,))
    return set_aside(verdict) if judgement.verdicts[0].fault else verdict


def tomogram_findings(
    judgement: Judgement, tomogram: NDArray[np.int64], names: Sequence[str]
) -> Iterator[Finding]:
    """Tomograms whose images the others do not predict, though they predict each other.

    Args:
        judgement: of a sample.
        tomogram: (B,) tomogram of each particle of the sample.
        names: their names.
    """
    gains = judgement.gain
    if paired_z(gains) < CLEARLY_BETTER_Z:
        return
    usual = float(gains.median())
    for number, name in enumerate(names):
        own = gains[tomogram == number]
        if len(own) < _FEWEST_IN_TOMOGRAM:
            continue
        error = float(own.std()) / np.sqrt(len(own))
        if float(own.mean()) + CLEARLY_WORSE_Z * error < _POOR * usual:
            yield Finding(
                "warning",
                "tomograms",
                f"images of {name} do not show what the other tomograms show",
                "look at its alignment, and whether its rows and stacks belong together",
            )


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "weight": finding.weight,
        "subject": finding.subject,
        "fault_id": finding.about,
        "text": finding.text,
        "remedy": finding.remedy,
    }


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "assumption": verdict.assumption,
        "decision": verdict.decision,
        "candidates": list(verdict.candidates),
        "fault_id": verdict.fault,
        "alternatives": [
            {
                "name": each.alternative.name,
                "remedy": each.alternative.remedy,
                "fault_id": each.alternative.fault,
                "decision": each.decision,
                "z": round(each.z, 2),
                "gain": round(each.gain, 6),
                "halves": [round(z, 2) for z in each.halves],
            }
            for each in verdict.comparisons
        ],
    }
