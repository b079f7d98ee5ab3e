"""A few representative groups of particles: local maxima of the density of a map of latents.

The map is two-dimensional, such as a UMAP. Particles are counted on a grid, the counts are
smoothed, and the particles in and around each local maximum are its support.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SketchRule:
    """How maxima are found; lengths in bins of the grid.

    Attributes:
        n_bins: bins along each axis.
        smooth_width: standard deviation of the Gaussian that smooths the counts; None for none.
        pruned_maxima: maxima that may be closer together than ``radius``.
        radius: distance below which the lower of two maxima is dropped.
        final_maxima: most maxima kept, the highest.
    """

    n_bins: int = 30
    smooth_width: float | None = 1.0
    pruned_maxima: int = 12
    radius: float = 5.0
    final_maxima: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """Maxima of a map, the highest first, and the particles around them.

    Attributes:
        counts: (n, n) particles per bin, [x, y].
        density: (n, n) the same, smoothed.
        edges: bounds of the bins along x and y, (n + 1,) each.
        maxima: (L, 2) bins of the maxima.
        supports: rows of the map in the nine bins around each maximum.
    """

    counts: NDArray[np.float64]
    density: NDArray[np.float64]
    edges: tuple[NDArray[np.float64], NDArray[np.float64]]
    maxima: NDArray[np.int64]
    supports: list[NDArray[np.int64]]

    @property
    def names(self) -> list[str]:
        """A, B, C ... of the maxima."""
        return [group_name(index) for index in range(len(self.maxima))]


def group_name(index: int) -> str:
    """A to Z, then AA, AB ..."""
    letters = ascii_uppercase[index % len(ascii_uppercase)]
    if index < len(ascii_uppercase):
        return letters
    return group_name(index // len(ascii_uppercase) - 1) + letters


def sketch(points: NDArray[np.floating], rule: SketchRule) -> Sketch:
    """Maxima of a map of n particles, points (n, 2)."""
    x, y = points.astype(np.float64).T
    counts, x_edges, y_edges = np.histogram2d(x, y, bins=rule.n_bins)
    density = counts
    if rule.smooth_width is not None:
        density = ndimage.gaussian_filter(counts, rule.smooth_width)
    maxima = _spread_out(_local_maxima(density), density, rule)
    bins = np.stack(
        [
            np.clip(np.searchsorted(edges, points[:, axis], side="right") - 1, 0, rule.n_bins - 1)
            for axis, edges in enumerate((x_edges, y_edges))
        ],
        axis=1,
    )
    supports = [np.flatnonzero((np.abs(bins - maximum) <= 1).all(axis=1)) for maximum in maxima]
    filled = [index for index, support in enumerate(supports) if len(support)]
    return Sketch(
        counts=counts,
        density=density,
        edges=(x_edges, y_edges),
        maxima=maxima[filled],
        supports=[supports[index] for index in filled],
    )


def representatives(
    latents: NDArray[np.floating], supports: list[NDArray[np.int64]]
) -> NDArray[np.int64]:
    """(L,) particle nearest to the median latent of each support, of latents (B, Z)."""
    medians = [np.median(latents[support], axis=0) for support in supports]
    return np.array([np.square(latents - each).sum(1).argmin() for each in medians], np.int64)


def _local_maxima(density: NDArray[np.float64]) -> NDArray[np.int64]:
    """(L, 2) bins above all eight neighbors; the highest bin where there is none."""
    around = np.ones((3, 3), bool)
    around[1, 1] = False
    highest_around = ndimage.maximum_filter(density, footprint=around, mode="mirror")
    maxima = np.argwhere(density > highest_around)
    if len(maxima):
        return maxima
    return np.array([np.unravel_index(density.argmax(), density.shape)], np.int64)


def _spread_out(
    maxima: NDArray[np.int64], density: NDArray[np.float64], rule: SketchRule
) -> NDArray[np.int64]:
    """The maxima that are kept, the highest first."""
    heights = density[tuple(maxima.T)]
    maxima = maxima[np.argsort(-heights, kind="stable")]
    while len(maxima) > rule.pruned_maxima:
        apart = np.linalg.norm(maxima[:, None] - maxima[None], axis=2)
        apart[np.triu_indices(len(maxima))] = np.inf
        lower, higher = np.unravel_index(apart.argmin(), apart.shape)  # lower comes later
        if apart[lower, higher] >= rule.radius:
            break
        maxima = np.delete(maxima, lower, axis=0)
    return maxima[: rule.final_maxima]
