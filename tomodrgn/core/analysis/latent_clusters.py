"""Clusters of latents: k-means and Gaussian mixtures, numbered so that neighbors are alike."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.cluster import hierarchy  # type: ignore[import-untyped]

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_EXACT: Final = 200_000
"""Particles up to which every one takes part in every step of the fit."""
_MIN_TO_ORDER: Final = 3
_MIN_SHARE: Final = 1e-6
"""Of the variance of all latents, added to that of each component of a mixture."""
_MIN_VARIANCE: Final = 1e-12


@dataclass(frozen=True, slots=True)
class LatentClusters:
    """Clusters of B latents.

    Attributes:
        labels: (B,) int64 from 0; clusters of adjacent numbers lie close together.
        centre_particles: (K,) the particle nearest to the middle of its cluster.
    """

    labels: NDArray[np.int64]
    centre_particles: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(K,) particles of each."""
        return np.bincount(self.labels, minlength=len(self.centre_particles)).astype(np.int64)


def k_means(latents: NDArray[np.float32], n_clusters: int, *, seed: int) -> LatentClusters:
    """K-means of latents (B, Z), with centers on particles; fewer clusters where some stay empty.

    Many particles take part in turns, in batches.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different latents than clusters
        if len(latents) <= _MAX_EXACT:
            found = KMeans(n_clusters, n_init=10, random_state=seed).fit(latents)
        else:
            found = MiniBatchKMeans(
                n_clusters, n_init=3, batch_size=10_000, random_state=seed, compute_labels=False
            ).fit(latents)
    return _arranged(latents, found.predict(latents), found.cluster_centers_)


def gaussian_mixture(latents: NDArray[np.float32], n_clusters: int, *, seed: int) -> LatentClusters:
    """Most likely component of each latent (B, Z) in a mixture of Gaussians."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    drawn = np.random.default_rng(seed).permutation(len(latents))[:_MAX_EXACT]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture = GaussianMixture(
            n_clusters, n_init=3, random_state=seed, reg_covar=_least_variance(latents)
        )
        found = mixture.fit(latents[drawn].astype(np.float64))
    return _arranged(latents, found.predict(latents.astype(np.float64)), found.means_)


def arranged_labels(latents: NDArray[np.float32], labels: NDArray[Any]) -> LatentClusters:
    """Clusters that somebody else found.

    Args:
        latents: (B, Z).
        labels: (B,) by any names.

    Raises:
        DataError: there is not one label for each latent.
    """
    if labels.shape != (len(latents),):
        raise DataError(f"labels have shape {labels.shape}, there are {len(latents)} latents")
    _, codes = np.unique(labels, return_inverse=True)
    counts = np.bincount(codes)
    centres = np.stack([np.bincount(codes, column) / counts for column in latents.T], axis=1)
    return _arranged(latents, codes, centres)


def _least_variance(latents: NDArray[np.float32]) -> float:
    """What is added to variances of a component, so that latents may lie on a line or a point."""
    return max(_MIN_SHARE * float(latents.var(axis=0, dtype=np.float64).sum()), _MIN_VARIANCE)


def different_latents(latents: NDArray[np.float32], most: int) -> int:
    """How many latents (B, Z) differ, counted up to ``most``."""
    some = np.unique(latents[: 10 * most], axis=0)
    if len(some) < most:
        some = np.unique(latents, axis=0)
    return min(most, len(some))


def _arranged(
    latents: NDArray[np.float32], labels: NDArray[np.integer], centres: NDArray[np.floating]
) -> LatentClusters:
    """Centers moved to the nearest of their particles, and clusters numbered as in a dendrogram."""
    apart = np.square(latents - centres.astype(np.float32)[labels]).sum(axis=1)
    by_cluster = np.lexsort((apart, labels))
    clusters, first = np.unique(labels[by_cluster], return_index=True)
    nearest = by_cluster[first]
    order = _dendrogram_order(latents[nearest])
    rank = np.full(len(centres), -1, np.int64)
    rank[clusters[order]] = np.arange(len(order))
    return LatentClusters(rank[labels], nearest[order].astype(np.int64))


def _dendrogram_order(centres: NDArray[np.float32]) -> NDArray[np.int64]:
    """Leaves of the tree of average linkage, from left to right."""
    if len(centres) < _MIN_TO_ORDER:
        return np.argsort(centres[:, 0], kind="stable").astype(np.int64)
    tree = hierarchy.linkage(centres.astype(np.float64), method="average")
    return np.asarray(hierarchy.leaves_list(tree), np.int64)
