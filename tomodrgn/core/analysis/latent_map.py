"""A UMAP of latents, of some of them where they are many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree  # type: ignore[import-untyped]

from tomodrgn.core.analysis.umap_map import umap_map

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class LatentMap:
    """Latents of B particles on a plane.

    Attributes:
        places: (B, 2).
        embedded: (n,) rows that UMAP placed itself; each other lies where its nearest of them does.
    """

    places: NDArray[np.float32]
    embedded: NDArray[np.int64]


def latent_map(latents: NDArray[np.float32], *, most: int, seed: int) -> LatentMap | None:
    """UMAP of latents (B, Z); None where UMAP is not to be had, which is reported.

    Args:
        latents: (B, Z).
        most: largest number that UMAP places itself.
        seed: of UMAP, and of the draw of these.
    """
    drawn = np.random.default_rng(seed).permutation(len(latents))[:most]
    embedded = np.sort(drawn).astype(np.int64)
    found = umap_map(latents[embedded], random_state=seed)
    if found is None:
        return None
    places = np.empty((len(latents), 2), np.float32)
    places[embedded] = found
    others = np.setdiff1d(np.arange(len(latents)), embedded, assume_unique=True)
    if len(others):
        _, nearest = cKDTree(latents[embedded]).query(latents[others], workers=-1)
        places[others] = found[nearest]
    return LatentMap(places, embedded)
