"""Ways from particle to particle through a graph of nearest neighbors."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse  # type: ignore[import-untyped]
from scipy.sparse import csgraph  # type: ignore[import-untyped]
from scipy.spatial import cKDTree  # type: ignore[import-untyped]

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def neighbor_graph(
    latents: NDArray[np.float32], *, max_neighbors: int, average_neighbors: float | None
) -> sparse.csr_array:
    """(B, B) distances from each of B latents to its nearest others, the longest left out.

    Args:
        latents: (B, Z).
        max_neighbors: neighbors of each.
        average_neighbors: how many are left of them on average; the longest edges of all go. None
            keeps all.
    """
    n_particles = len(latents)
    n_neighbors = min(max_neighbors, n_particles - 1)
    distances, neighbors = _other_neighbors(latents, n_neighbors)
    sources = np.repeat(np.arange(n_particles), n_neighbors)
    # graph routines take 0 for no edge
    lengths = np.maximum(distances.ravel(), np.finfo(np.float32).tiny)
    targets = neighbors.ravel()
    n_kept = len(lengths)
    if average_neighbors is not None:
        n_kept = int(n_particles * average_neighbors)
    if n_kept < len(lengths):
        kept = lengths < np.partition(lengths, n_kept)[n_kept]
        sources, targets, lengths = sources[kept], targets[kept], lengths[kept]
    return sparse.csr_array((lengths, (sources, targets)), shape=(n_particles, n_particles))


def path_between(graph: sparse.csr_array, anchors: Sequence[int]) -> NDArray[np.int64]:
    """(n,) the shortest way along the edges of a graph that visits anchors in their order.

    Raises:
        DataError: an anchor cannot be reached from the one before.
    """
    path = [anchors[0]]
    for start, end in pairwise(anchors):
        _, before = csgraph.dijkstra(graph, indices=start, return_predecessors=True)
        if before[end] < 0 and start != end:
            raise DataError(
                f"anchors: no way leads from particle {start} to particle {end} in the graph; give "
                "a larger --max-neighbors or --avg-neighbors, or leave the latter out"
            )
        way = [end]
        while way[-1] != start:
            way.append(int(before[way[-1]]))
        path += way[-2::-1]
    return np.array(path, np.int64)


def _other_neighbors(
    latents: NDArray[np.float32], n_neighbors: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(B, k) distances and rows of the nearest others, nearest first."""
    tree = cKDTree(latents)
    distances, rows = tree.query(latents, k=n_neighbors + 1, workers=-1)
    # of equal latents, a particle need not come first among its own neighbors
    own = rows == np.arange(len(latents))[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(latents), n_neighbors)
    return distances[~own].reshape(shape), rows[~own].reshape(shape).astype(np.int64)
