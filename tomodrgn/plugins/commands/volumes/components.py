"""Principal components of many volumes whose voxels lie in a file.

The table of N volumes by V voxels is read in slabs of columns, so memory is bounded whatever their
number: the N x N matrix of products and one slab.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import linalg  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

SLAB_BYTES: Final = 256 * 2**20
_BYTES: Final = 4
_MIN_VARIANCE: Final = 1e-6
"""Part of the variance below which a direction is rounding."""


@dataclass(frozen=True, slots=True)
class VoxelTable:
    """(N, V) float32 voxels in a file.

    Attributes:
        path: the file.
        shape: N and V.
        slab_bytes: most bytes read at once.
    """

    path: Path
    shape: tuple[int, int]
    slab_bytes: int = SLAB_BYTES

    def slabs(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Columns, and the (N, v) voxels in them."""
        n_rows, n_columns = self.shape
        width = max(1, min(n_columns, self.slab_bytes // (_BYTES * n_rows)))
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            for first in range(0, n_columns, width):
                columns = slice(first, min(first + width, n_columns))
                slab = np.empty((n_rows, columns.stop - first), np.float32)
                for row, target in enumerate(slab):
                    os.preadv(descriptor, [target.data], _BYTES * (row * n_columns + first))
                yield columns, slab
        finally:
            os.close(descriptor)


@contextmanager
def voxel_table(
    path: Path, rows: Iterable[NDArray[np.float32]], slab_bytes: int = SLAB_BYTES
) -> Iterator[VoxelTable]:
    """A table of rows (V,), in a file that is removed afterwards."""
    try:
        n_rows, n_columns = 0, 0
        with path.open("wb") as file:
            for row in rows:
                file.write(np.ascontiguousarray(row, np.float32).data)
                n_rows, n_columns = n_rows + 1, len(row)
        yield VoxelTable(path, (n_rows, n_columns), slab_bytes)
    finally:
        path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSpace:
    """Principal components of N volumes.

    Attributes:
        scores: (N, K) coordinates, largest variance first.
        shares: (K,) part of the variance.
        mean: (V,) mean volume.
        axes: (k, V) the first components, of length 1.
    """

    scores: NDArray[np.float32]
    shares: NDArray[np.float64]
    mean: NDArray[np.float32]
    axes: NDArray[np.float32]

    def along(self, component: int, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """(n, V) volumes at some values of one component, all others at their mean."""
        steps = values[:, None].astype(np.float32)
        return np.asarray(self.mean + steps * self.axes[component], dtype=np.float32)


def volume_space(table: VoxelTable, *, n_components: int, n_axes: int) -> VolumeSpace:
    """Principal components of a table of volumes.

    Args:
        table: N volumes.
        n_components: most components whose scores are wanted.
        n_axes: most components that are wanted themselves.
    """
    n_volumes, n_voxels = table.shape
    products = np.zeros((n_volumes, n_volumes))
    mean = np.empty(n_voxels, np.float32)
    for columns, slab in table.slabs():
        mean[columns] = slab.mean(axis=0, dtype=np.float64)
        centred = slab - mean[columns]
        products += centred @ centred.T
    total = max(float(np.trace(products)), np.finfo(np.float64).tiny)
    most = min(n_components, n_volumes)
    wanted = (n_volumes - most, n_volumes - 1)
    variance, vectors = linalg.eigh(products, subset_by_index=wanted)
    variance, vectors = np.maximum(variance[::-1], 0), vectors[:, ::-1]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
    vectors = vectors * np.where(largest < 0, -1.0, 1.0)
    lengths = np.sqrt(variance)
    n_axes = min(n_axes, int((variance > _MIN_VARIANCE * total).sum()))
    return VolumeSpace(
        scores=(vectors * lengths).astype(np.float32),
        shares=variance / total,
        mean=mean,
        axes=_axes(table, mean, (vectors / np.maximum(lengths, 1e-300))[:, :n_axes]),
    )


def _axes(
    table: VoxelTable, mean: NDArray[np.float32], weights: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(k, V) sums of centered volumes with weights (N, k)."""
    axes = np.empty((weights.shape[1], table.shape[1]), np.float32)
    for columns, slab in table.slabs():
        axes[:, columns] = weights.T.astype(np.float32) @ (slab - mean[columns])
    return axes


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters of N points.

    Attributes:
        labels: (N,) from 0, ascending along the first coordinate.
        nearest: (K,) the point nearest to each center.
    """

    labels: NDArray[np.int64]
    nearest: NDArray[np.int64]


def cluster(points: NDArray[np.float32], n_clusters: int, *, seed: int) -> Clusters:
    """K-means of points (N, K)."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import pairwise_distances_argmin

    found = KMeans(n_clusters, n_init=10, random_state=seed).fit(points)
    order = np.argsort(found.cluster_centers_[:, 0])
    rank = np.empty(n_clusters, np.int64)
    rank[order] = np.arange(n_clusters)
    nearest = pairwise_distances_argmin(found.cluster_centers_[order], points)
    return Clusters(rank[found.labels_], nearest.astype(np.int64))
