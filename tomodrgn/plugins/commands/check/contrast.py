"""Is the density bright? No image tells, but molecules do: they are compact in a flat solvent.

So the values of a map of bright density are skewed: few are high and many are a little below the
mean. The third moment is taken over products of maps from different particles, in which noise
averages out, and its error comes from leaving out one group of particles after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.inspection.prediction import centred_coefficients, sum_parts
from tomodrgn.core.reconstruction.wiener import (
    prior_from_fsc,
    reconstruct_volume,
    shell_weights,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.inspection.sample import Sample


def density_skewness(
    sample: Sample, agreement: NDArray[np.float64], n_groups: int
) -> tuple[float, float]:
    """Skewness of the density, and its z; positive where density is bright.

    Args:
        sample: images and metadata, corrected.
        agreement: (D/2 + 1,) Fourier shell correlation of its half maps.
        n_groups: jackknife groups that ``sample.group`` counts.
    """
    sums = sum_parts(sample, centred_coefficients(sample), sample.group, n_groups)
    prior = prior_from_fsc(shell_weights(sums).sum(0) / 2, agreement) / (n_groups / 2)
    maps = np.stack(
        [reconstruct_volume(sums.one(group), prior).numpy() for group in range(n_groups)]
    ).astype(np.float64)
    inside = maps[:, _ball(maps.shape[-1])]
    whole = _third_moment(inside)
    rest = [_third_moment(np.delete(inside, group, axis=0)) for group in range(n_groups)]
    n = n_groups
    error = np.sqrt((n - 1) / n * np.square(np.array(rest) - np.mean(rest)).sum())
    spread = max(_second_moment(inside), 1e-30)
    return whole / spread**1.5, whole / error if error > 0 else 0.0


def _third_moment(maps: NDArray[np.float64]) -> float:
    """Mean product of three different maps, over voxels and triples; maps are (G, voxels)."""
    centred = maps - maps.mean(1, keepdims=True)
    first, second, third = (np.sum(centred**power, axis=0) for power in (1, 2, 3))
    triples = len(maps) * (len(maps) - 1) * (len(maps) - 2)
    return float(np.mean(first**3 - 3 * first * second + 2 * third) / triples)


def _second_moment(maps: NDArray[np.float64]) -> float:
    """Mean product of two different maps."""
    centred = maps - maps.mean(1, keepdims=True)
    first, second = centred.sum(0), np.square(centred).sum(0)
    return float(np.mean(first**2 - second) / (len(maps) * (len(maps) - 1)))


def _ball(box_size_px: int) -> NDArray[np.bool_]:
    """(D, D, D) voxels within the box's inscribed ball."""
    axis = np.arange(box_size_px) - box_size_px // 2
    squared = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2
    inside: NDArray[np.bool_] = squared < (box_size_px / 2) ** 2
    return inside
