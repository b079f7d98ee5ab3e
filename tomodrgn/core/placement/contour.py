"""A contour level that shows the particle, where nobody has chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_N_BINS: Final = 512
_TAILS_PERCENT: Final = (0.05, 99.95)
"""Densities further out are counted at these, so that single voxels do not stretch the bins."""


def automatic_level(volume: NDArray[np.float32]) -> float:
    """Density that best divides a map into particle and surroundings.

    Only the largest sphere in the box is looked at, because corners hold nothing. Of a map of one
    value, that value.

    Args:
        volume: (z, y, x) map in which the particle is dense.

    Source:
        Otsu 1979, doi:10.1109/TSMC.1979.4310076: largest variance between the two classes.
    """
    densities = volume[_sphere(volume.shape)]
    low, high = np.percentile(densities, _TAILS_PERCENT)
    if low == high:
        return float(high)
    counts, edges = np.histogram(densities.clip(low, high), bins=_N_BINS, range=(low, high))
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1] / counts.sum()
    sum_below = np.cumsum(counts * middles)[:-1] / counts.sum()
    mean = (counts * middles).sum() / counts.sum()
    apart = (mean * below - sum_below) ** 2 / np.maximum(below * (1 - below), np.finfo(float).tiny)
    best = np.flatnonzero(apart >= apart.max() * (1 - 1e-9))  # a gap in the histogram is a plateau
    return float(edges[1 + best].mean())


def common_level(volumes: Iterable[NDArray[np.float32]]) -> float:
    """Median of the automatic levels of some maps, which are on one scale."""
    return float(np.median([automatic_level(volume) for volume in volumes]))


def _sphere(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Voxels within half of the shortest edge of the centre."""
    squares = [(np.arange(edge) - edge // 2) ** 2 for edge in shape]
    z, y, x = np.ix_(*squares)
    inside: NDArray[np.bool_] = z + y + x <= (min(shape) / 2) ** 2
    return inside
