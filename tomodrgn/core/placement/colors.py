"""Colors of particles by what is known of them: classes and names in turn, numbers on a gradient.

Colors are red, green and blue from 0 to 255. Gradients are given as functions, so that nothing
here depends on a library that draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Gradient = Callable[[NDArray[np.float64]], NDArray[np.uint8]]
    """Fractions (n,) in [0, 1] to colors (n, 3)."""

PALETTE: Final = np.array(
    [
        (192, 192, 192),
        (255, 255, 178),
        (178, 255, 255),
        (178, 178, 255),
        (255, 178, 255),
        (255, 178, 178),
        (178, 255, 178),
        (229, 191, 153),
        (153, 191, 229),
        (204, 204, 153),
    ],
    dtype=np.uint8,
)
"""Colors taken in turn: the pastel ones that ChimeraX gives to maps."""

UNKNOWN: Final = np.array((128, 128, 128), dtype=np.uint8)
"""Color of a missing value."""

_LEGEND_STEPS: Final = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Colors:
    """Colors of n particles, and what each of them means.

    Attributes:
        rgb: (n, 3) colors of the particles.
        meaning: texts of the legend.
        legend: one color (3,) for each text.
        entry: (n,) which text each particle belongs to; None on a gradient.
    """

    rgb: NDArray[np.uint8]
    meaning: tuple[str, ...]
    legend: NDArray[np.uint8]
    entry: NDArray[np.int64] | None = None

    def take(self, rows: NDArray[np.int64]) -> Colors:
        """The colors of some particles (m,); the legend stays."""
        entry = None if self.entry is None else self.entry[rows]
        return Colors(rgb=self.rgb[rows], meaning=self.meaning, legend=self.legend, entry=entry)


def is_gradual(values: NDArray[Any]) -> bool:
    """Whether values (n,) are measured on a scale: numbers, and not all of them whole."""
    if values.dtype.kind != "f":
        return False
    finite = values[np.isfinite(values)]
    return bool(len(finite) and (finite != np.rint(finite)).any())


def color_in_turn(labels: NDArray[Any], palette: NDArray[np.uint8]) -> Colors:
    """One color for each distinct label, in sorted order, over and over.

    Args:
        labels: (n,) whole numbers or texts; whole numbers stored as floats are named without
            a decimal point.
        palette: (p, 3) colors.
    """
    entry, distinct = _distinct(labels)
    legend = palette[np.arange(len(distinct)) % len(palette)]
    return Colors(rgb=legend[entry], meaning=distinct, legend=legend, entry=entry)


def color_spread(labels: NDArray[Any], gradient: Gradient) -> Colors:
    """One color for each distinct label of (n,), spread evenly over a gradient."""
    entry, distinct = _distinct(labels)
    legend = gradient(np.arange(len(distinct)) / len(distinct))
    return Colors(rgb=legend[entry], meaning=distinct, legend=legend, entry=entry)


def color_by_value(values: NDArray[np.float64], gradient: Gradient) -> Colors:
    """Colors from the smallest to the largest of (n,) values; what is not finite has none."""
    known = np.isfinite(values)
    low, high = values[known].min(), values[known].max()
    rgb = np.tile(UNKNOWN, (len(values), 1))
    rgb[known] = gradient((values[known] - low) / ((high - low) or 1.0))
    steps = np.linspace(0, 1, _LEGEND_STEPS)
    meaning = tuple(f"{value:.6g}" for value in low + steps * (high - low))
    return Colors(rgb=rgb, meaning=meaning, legend=gradient(steps))


def _distinct(labels: NDArray[Any]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(n,) rank of each label among the distinct ones, and these as texts."""
    if labels.dtype.kind == "f" and np.isfinite(labels).all():
        labels = labels.astype(np.int64)
    rank, distinct = pd.factorize(labels if labels.dtype.kind in "biuf" else labels.astype(str),
                                  sort=True, use_na_sentinel=False)  # fmt: skip
    return rank.astype(np.int64), tuple(str(label) for label in distinct)
