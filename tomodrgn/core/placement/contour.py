"""A contour level that shows the particle, where nobody has chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_N_BINS: Final = 512
_NOISE_DEVIATIONS: Final = 3
_TAILS_PERCENT: Final = (0.05, 99.95)
"""Densities further out are counted at these, so that single voxels do not stretch the bins."""


def automatic_level(volume: NDArray[np.float32]) -> float:
    """Density that divides a map into particle and surroundings, above the noise of these.

    Only the largest sphere in the box is looked at, because corners hold nothing. Of a map of one
    value, that value.

    Args:
        volume: (z, y, x) map in which the particle is dense.
    """
    densities = volume[_sphere(volume.shape)].astype(np.float64)
    low, high = np.percentile(densities, _TAILS_PERCENT)
    if low == high:
        return float(high)
    densities = densities.clip(low, high)
    return max(_division(densities), _above_noise(densities))


def _division(densities: NDArray[np.float64]) -> float:
    """Density with the largest variance between what is above and what is below.

    Source:
        Otsu 1979, doi:10.1109/TSMC.1979.4310076.
    """
    counts, edges = np.histogram(densities, bins=_N_BINS)
    share, middles = counts / counts.sum(), (edges[:-1] + edges[1:]) / 2
    below, sum_below = np.cumsum(share)[:-1], np.cumsum(share * middles)[:-1]
    apart = (share @ middles * below - sum_below) ** 2 / (below * (1 - below))
    best = np.flatnonzero(apart >= apart.max() * (1 - 1e-9))  # a gap in the histogram is a plateau
    return float(edges[1 + best].mean())


def _above_noise(densities: NDArray[np.float64]) -> float:
    """Three standard deviations above the most frequent density, which is the surroundings'.

    The deviation is that of the densities below, among which there is no particle.
    """
    counts, edges = np.histogram(densities, bins=_N_BINS // 8)
    most = int(counts.argmax())
    mode = (edges[most] + edges[most + 1]) / 2
    below = densities[densities < mode]
    spread = np.sqrt(np.mean((below - mode) ** 2)) if most else 0.0
    return float(mode + _NOISE_DEVIATIONS * spread)


def common_level(volumes: Iterable[NDArray[np.float32]]) -> float:
    """Median of the automatic levels of some maps (D, D, D), which are on one scale."""
    return float(np.median([automatic_level(volume) for volume in volumes]))


def _sphere(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Voxels within half of the shortest edge of the center."""
    squares = [(np.arange(edge) - edge // 2) ** 2 for edge in shape]
    z, y, x = np.ix_(*squares)
    inside: NDArray[np.bool_] = z + y + x <= (min(shape) / 2) ** 2
    return inside
