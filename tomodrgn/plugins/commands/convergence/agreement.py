"""How far volumes agree: correlation of voxels and of Fourier shells, and single numbers of curves.

Frequencies are in cycles/px: shell b of a box of D voxels is at b / D. Volumes are masked, never
changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.fourier.shells import fsc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tomodrgn.core.analysis.masks import MaskRule

HALF_MAPS: Final = 0.143
MAP_TO_MODEL: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveNumbers:
    """What a Fourier shell correlation comes to; frequencies in cycles/px.

    Attributes:
        at_half_map_threshold: where it falls below 0.143.
        at_model_threshold: where it falls below 0.5.
        integral: under the curve up to 0.143.
    """

    at_half_map_threshold: float
    at_model_threshold: float
    integral: float


def shell_freqs(box_size_px: int) -> NDArray[np.float64]:
    """(D/2 + 1,) cycles/px of the shells."""
    return np.arange(box_size_px // 2 + 1) / box_size_px


def masked_correlation(
    first: NDArray[np.floating], second: NDArray[np.floating], mask: NDArray[np.floating]
) -> float:
    """Pearson correlation of all voxels of two masked volumes (D, D, D); 0 where one is flat."""
    a, b = ((volume * mask).astype(np.float64).ravel() for volume in (first, second))
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else 0.0


def masked_fsc(
    first: NDArray[np.floating], second: NDArray[np.floating], rule: MaskRule
) -> NDArray[np.float64]:
    """(D/2 + 1,) correlation of the shells of two volumes times their mask."""
    mask = rule(first, second)
    return fsc(first * mask, second * mask)


def correlation_matrix(
    rows: Sequence[NDArray[np.floating]], columns: Sequence[NDArray[np.floating]], rule: MaskRule
) -> NDArray[np.float64]:
    """(R, C) masked correlation of each of some volumes with each of others."""
    return np.array(
        [[masked_correlation(row, other, rule(row, other)) for other in columns] for row in rows]
    )


def crossing(freqs: NDArray[np.float64], curve: NDArray[np.float64], threshold: float) -> float:
    """First of the frequencies (S,) whose correlation (S,) is below a threshold, or the last."""
    below = np.flatnonzero(curve < threshold)
    return float(freqs[below[0]] if len(below) else freqs[-1])


def curve_numbers(freqs: NDArray[np.float64], curve: NDArray[np.float64]) -> CurveNumbers:
    """Where a curve (S,) over frequencies (S,) falls, and the area under it."""
    limit = crossing(freqs, curve, HALF_MAPS)
    within = freqs <= limit
    return CurveNumbers(
        at_half_map_threshold=limit,
        at_model_threshold=crossing(freqs, curve, MAP_TO_MODEL),
        integral=float(np.trapezoid(curve[within], freqs[within])),
    )
