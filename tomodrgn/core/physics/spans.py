"""Spans of the numbers that describe tilt images: what there is in a microscope, in which unit.

A number outside of its span was written in another unit or is no such quantity; it would be wrong
in every image and stop nothing. Spans are wide: whatever has been recorded lies inside. Options and
readers share them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


class Mistake(NamedTuple):
    """A unit that is taken for the right one.

    Attributes:
        low: smallest value that it gives; what a remedy would leave outside is another mistake.
        high: largest.
        unit: in which such values are.
        factor: what to multiply them by.
    """

    low: float
    high: float
    unit: str
    factor: float

    @property
    def remedy(self) -> str:
        """What to do with such values."""
        if self.factor < 1:
            return f"divide by {1 / self.factor:g}"
        return f"multiply by {self.factor:g}"


@dataclass(frozen=True, slots=True)
class Span:
    """Values from ``low`` to ``high``, both allowed.

    Attributes:
        quantity: what it is, with an article.
        low: smallest value.
        high: largest value.
        unit: of both.
        mistakes: units that values outside may be in.
    """

    quantity: str
    low: float
    high: float
    unit: str
    mistakes: tuple[Mistake, ...] = ()

    def excludes(self, values: NDArray[np.floating]) -> NDArray[np.bool_]:
        """(n,) whether each value is outside; not-a-number is none of its business."""
        return (values < self.low) | (values > self.high)

    def fault(self, value: float) -> str:
        """What is wrong with a value outside, and what it may be instead."""
        unit = f" {self.unit}" if self.unit else ""
        said = f"outside of {self.low:g} to {self.high:g}{unit}, so it is not {self.quantity}"
        for mistake in self.mistakes:
            remedied = value * mistake.factor
            if mistake.low <= value <= mistake.high and self.low <= remedied <= self.high:
                return f"{said}; if it is in {mistake.unit}, {mistake.remedy}"
        return f"{said}; correct the column"


SPANS: Final[Mapping[str, Span]] = {
    "voltage_kv": Span(
        "an acceleration voltage", 50, 1500, "kV",
        (Mistake(5e4, 1.5e6, "V", 1e-3), Mistake(0.05, 1.5, "MV", 1e3)),
    ),
    "cs_mm": Span(
        "a spherical aberration", 0, 20, "mm",
        (
            Mistake(50, 2e4, "micrometers", 1e-3),
            Mistake(1e6, 2e8, "A", 1e-7),
        ),
    ),
    "amplitude_contrast": Span(
        "an amplitude contrast", 0, 0.999, "",
        (Mistake(1.001, 100, "percent", 1e-2),),
    ),
    "defocus_a": Span(
        "a defocus", -1e6, 1e6, "A",
        (Mistake(1e6, 1e9, "pm", 1e-2), Mistake(-1e9, -1e6, "pm", 1e-2)),
    ),
    "phase_shift_deg": Span("a phase shift", -360, 360, "degrees"),
    "angle_deg": Span("an angle", -3600, 3600, "degrees"),
    "tilt_deg": Span("a tilt angle", -180, 180, "degrees"),
    "dose_e_per_a2": Span(
        "the dose of a specimen", 0, 1000, "e/A^2",
        (Mistake(1000, 1e5, "e/nm^2", 1e-2),),
    ),
    "pixel_size_a": Span(
        "a pixel size", 0.1, 1000, "A/px",
        (Mistake(1e-12, 1e-6, "m", 1e10), Mistake(1e3, 1e5, "pm", 1e-2)),
    ),
}  # fmt: skip
"""Spans by the names of fields, with their units."""
