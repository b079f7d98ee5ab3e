"""What there is in the latents of a run: components, clusters, a map, and what to decode."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.analysis.latent_axes import PrincipalAxes, principal_axes
from tomodrgn.core.analysis.latent_clusters import (
    LatentClusters,
    arranged_labels,
    different_latents,
    gaussian_mixture,
    k_means,
)
from tomodrgn.core.analysis.latent_map import LatentMap, latent_map
from tomodrgn.core.analysis.latent_traversals import PERCENTILES, nearest_particles, traversal
from tomodrgn.core.errors import DataError
from tomodrgn.plugins.commands.analyze.volumes import VolumeSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from tomodrgn.core.data.run import Run
    from tomodrgn.plugins.commands.analyze.spec import AnalysisSpec

logger = logging.getLogger(__name__)

_UMAP_FROM_DIMENSIONS: Final = 3

Clustering = Callable[..., LatentClusters]
"""Latents (B, Z), a number of clusters and a seed to clusters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedClusters:
    """Clusters and the name of their method: kmeans or gmm."""

    method: str
    found: LatentClusters

    @property
    def folder(self) -> str:
        """Classic name of their folder."""
        return f"{self.method}{len(self.found.centre_particles)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAnalysis:
    """What was found in the latents of B particles.

    Attributes:
        latents: (B, Z).
        axes: principal axes.
        scores: (B, Z) places along them.
        clusters: k-means first.
        umap: None where it was left out or is not to be had.
        sets: latents that are decoded: traversals, then clusters.
        remarks: what could not be done as asked, in words, by short names.
    """

    latents: NDArray[np.float32]
    axes: PrincipalAxes
    scores: NDArray[np.float32]
    clusters: list[NamedClusters]
    umap: LatentMap | None
    sets: list[VolumeSet]
    remarks: dict[str, str]


def analyze_latents(run: Run, spec: AnalysisSpec, latents: NDArray[np.float32]) -> LatentAnalysis:
    """Components, clusters, a map and traversals of latents (B, Z).

    Args:
        run: whose registry offers clusterings.
        spec: what is asked for.
        latents: (B, Z).

    Raises:
        SpecError: a clustering is not installed.
        DataError: all latents are the same.
    """
    remarks: dict[str, str] = {}
    n_dims = latents.shape[1]
    axes = principal_axes(latents)
    scores = axes.scores(latents)
    logger.info("explained variance: %s", ", ".join(f"{share:.1%}" for share in axes.shares[:8]))
    clusters = _clusters(spec, latents, remarks, _methods(run, spec))
    umap = None
    if n_dims >= _UMAP_FROM_DIMENSIONS and not spec.skip_umap:
        umap = latent_map(latents, most=spec.umap_subset, seed=spec.seed)
        if umap is None:
            remarks["no UMAP"] = (
                "UMAP is not installed or failed, so its pictures are missing; "
                "pip install 'tomodrgn[analysis]' brings it"
            )
    if spec.pc > n_dims and "pc" in spec.model_fields_set:
        remarks["fewer components"] = f"{n_dims} principal components, {spec.pc} were asked for"
    sets = [
        _along(spec, latents, axes, scores, axis)
        for axis in range(min(spec.pc, n_dims))
    ] + [_centres(latents, each) for each in clusters]  # fmt: skip
    return LatentAnalysis(
        latents=latents,
        axes=axes,
        scores=scores,
        clusters=clusters,
        umap=umap,
        sets=sets,
        remarks=remarks,
    )


def _methods(run: Run, spec: AnalysisSpec) -> Iterator[tuple[str, int, Clustering]]:
    """K-means, a Gaussian mixture and those of plugins, as far as they are asked for."""
    yield "kmeans", spec.ksample, k_means
    if spec.gmm_k is not None:
        yield "gmm", spec.gmm_k, gaussian_mixture
    for text in spec.clusterings:
        name, _, number = text.partition("=")
        function = run.registry.extension("clustering", name).load()
        yield name, int(number), partial(_of_plugin, function)


def _of_plugin(
    function: Callable[..., Any], latents: NDArray[np.float32], n_clusters: int, *, seed: int
) -> LatentClusters:
    return arranged_labels(latents, np.asarray(function(latents, n_clusters, seed=seed)))


def _clusters(
    spec: AnalysisSpec,
    latents: NDArray[np.float32],
    remarks: dict[str, str],
    methods: Iterable[tuple[str, int, Clustering]],
) -> list[NamedClusters]:
    """What each method finds."""
    found = []
    for method, n_asked, fit in methods:
        n_clusters = different_latents(latents, n_asked)
        if n_clusters < n_asked:
            remarks[f"fewer clusters ({method})"] = (
                f"{n_asked} clusters were asked for, only {n_clusters} latents differ"
            )
        if n_clusters < 2:  # noqa: PLR2004  one cluster is none
            raise DataError(
                "all latents are the same, so there is nothing to analyze; look at "
                "convergence_vae, or train longer"
            )
        found.append(NamedClusters(method=method, found=fit(latents, n_clusters, seed=spec.seed)))
        sizes = found[-1].found.sizes
        logger.info(
            "%s: %d clusters of %d to %d particles", method, len(sizes), min(sizes), max(sizes)
        )
    return found


def _along(
    spec: AnalysisSpec,
    latents: NDArray[np.float32],
    axes: PrincipalAxes,
    scores: NDArray[np.float32],
    axis: int,
) -> VolumeSet:
    """Latents along a component."""
    places = traversal(axes, axis, scores[:, axis])
    nearest = nearest_particles(latents, places)
    return VolumeSet(
        folder=f"pc{axis + 1}",
        name=f"PC {axis + 1}",
        latents=latents[nearest] if spec.pc_ondata else places,
        titles=[f"{number}: {percent:.0f} %" for number, percent in enumerate(PERCENTILES)],
        particles=nearest,
        are_particles=spec.pc_ondata,
    )


def _centres(latents: NDArray[np.float32], each: NamedClusters) -> VolumeSet:
    """Latents of the particles in the middle of clusters."""
    rows, sizes = each.found.centre_particles, each.found.sizes
    return VolumeSet(
        folder=each.folder,
        name="",
        latents=latents[rows],
        titles=[f"{label} ({size:,})" for label, size in enumerate(sizes.tolist())],
        particles=rows,
        are_particles=True,
    )
