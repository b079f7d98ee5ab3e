"""Gray levels of an input as facts for a page: background and deviation of each tomogram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.gray_levels.damage import CONSTANT, NOT_FINITE, REASONS
from tomodrgn.core.inspection.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from tomodrgn.core.gray_levels.reader import NormalizingReader

_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class GrayLevelFacts:
    """What a survey found.

    Attributes:
        normalizes: whether images are normalized when they are read.
        reasons: why, or what was found.
        tomograms: (T,) names.
        background: (T,) typical level, in deviations.
        deviation: (T,) typical deviation, over what the treatment of the images explains.
    """

    normalizes: bool
    reasons: tuple[str, ...]
    tomograms: tuple[str, ...]
    background: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @property
    def sentence(self) -> str:
        """All in one."""
        what = "not normalized" if self.normalizes else "as they are"
        return f"{what}: {'; '.join(self.reasons)}"

    def as_json(self) -> dict[str, Any]:
        """The facts as JSON values; None where nothing could be measured."""
        columns = zip(self.tomograms, self.background, self.deviation, strict=True)
        return {
            "normalizes": self.normalizes,
            "reasons": list(self.reasons),
            "tomograms": {
                name: {"background": _number(level), "deviation": _number(deviation)}
                for name, level, deviation in columns
            },
        }


def gray_level_facts(reader: NormalizingReader) -> GrayLevelFacts:
    """What the survey of a reader found, which is made now if it was not yet."""
    standard, found = reader.standard, reader.found
    return GrayLevelFacts(
        normalizes=standard.normalizes,
        reasons=standard.reasons,
        tomograms=tuple(found.tomograms.tolist()),
        background=found.offset.typical,
        deviation=np.exp(found.scale.typical),
    )


def gray_level_findings(
    facts: GrayLevelFacts, damaged: Mapping[int, int], n_images: int
) -> Iterator[Finding]:
    """What is unusual in gray levels.

    Args:
        facts: of the survey.
        damaged: code of damage by row of the input, of the images looked at.
        n_images: how many were looked at.
    """
    if facts.normalizes:
        yield Finding(
            "warning",
            "gray_levels",
            f"images are not normalized: {'; '.join(facts.reasons)}",
            "every command brings their backgrounds to level 0 and deviation 1 (--normalize auto); "
            "--normalize off uses them as they are",
        )
    for code, reason in REASONS.items():
        rows = sorted(row for row, found in damaged.items() if found == code)
        if rows and code not in {NOT_FINITE, CONSTANT}:  # which are faults of pixels
            shown = ", ".join(str(row + 1) for row in rows[:_MOST_NAMED])
            more = ", ..." if len(rows) > _MOST_NAMED else ""
            yield Finding(
                "warning",
                "pixels",
                f"{len(rows)} of {n_images} images looked at: {reason} (rows {shown}{more})",
                "runs leave such images out and list them; extract them again to keep them",
            )


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
