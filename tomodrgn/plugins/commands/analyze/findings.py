"""What an analysis found, as plain values for ``analysis.json``, and warnings in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tomodrgn.core.analysis.latent_activity import dimension_divergence
from tomodrgn.core.analysis.latent_findings import (
    GOES_WITH_METADATA,
    ONE_TOMOGRAM,
    clusters_of_one_tomogram,
    components_with_metadata,
    count_by_tomogram,
)
from tomodrgn.core.analysis.latent_traversals import PERCENTILES
from tomodrgn.core.report.run_findings import related_columns, run_warnings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from tomodrgn.core.data.chosen_epoch import ChosenEpoch
    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.plugins.commands.analyze.latents import LatentAnalysis, NamedClusters
    from tomodrgn.plugins.commands.analyze.volumes import DecodedSets, VolumeSet


def describe_analysis(
    chosen: ChosenEpoch,
    results: RunResults,
    found: LatentAnalysis,
    volumes: DecodedSets | None,
    columns: Mapping[str, NDArray[np.floating]],
) -> dict[str, Any]:
    """Findings of an analysis; columns (B,) are what is known of the particles besides."""
    particles = results.particles
    divergence = None
    if results.log_variance is not None:
        divergence = dimension_divergence(found.latents, results.log_variance)
    traversals = found.sets[: len(found.sets) - len(found.clusters)]
    correlations = related_columns(found.scores, columns)
    warnings = found.remarks | run_warnings(chosen, found.axes.shares, divergence)
    warnings |= _lonely_clusters(particles, found)
    related = components_with_metadata(correlations, particles.n_particles)
    if related is not None:
        warnings[GOES_WITH_METADATA] = related
    return {
        "epoch": chosen.epoch,
        "weights": chosen.files.weights.name,
        "latents": chosen.files.latents.name,
        "n_particles": particles.n_particles,
        "n_latent_dimensions": found.latents.shape[1],
        "recommended_epoch": chosen.verdict and chosen.verdict.recommended_epoch,
        "explained_variance": found.axes.shares.tolist(),
        "divergence": None if divergence is None else divergence.tolist(),
        "umap": found.umap and {"n_embedded": len(found.umap.embedded)},
        "traversals": [_traversal(each) for each in traversals],
        "clusters": [_clusters(each, particles) for each in found.clusters],
        "volumes": volumes and {"level": volumes.level, "pixel_size_a": volumes.pixel_size_a},
        "rank_correlations": correlations,
        "warnings": warnings,
    }


def _traversal(each: VolumeSet) -> dict[str, Any]:
    return {
        "folder": each.folder,
        "percentiles": PERCENTILES.tolist(),
        "nearest_particles": each.particles.tolist(),
        "are_particles": each.are_particles,
    }


def _clusters(each: NamedClusters, particles: ParticleSet) -> dict[str, Any]:
    rows = each.found.centre_particles
    by_tomogram = count_by_tomogram(each.found.labels, len(rows), particles.tomogram)
    return {
        "folder": each.folder,
        "method": each.method,
        "sizes": each.found.sizes.tolist(),
        "centre_particles": [
            {"row": row, "tomogram": particles.tomogram[row], "name": particles.name[row]}
            for row in rows.tolist()
        ],
        "tomograms": by_tomogram.names,
        "particles_by_tomogram": by_tomogram.counts.tolist(),
    }


def _lonely_clusters(particles: ParticleSet, found: LatentAnalysis) -> dict[str, str]:
    labels, n_labels = found.clusters[0].found.labels, len(found.clusters[0].found.sizes)
    lonely = clusters_of_one_tomogram(count_by_tomogram(labels, n_labels, particles.tomogram))
    return {} if lonely is None else {ONE_TOMOGRAM: lonely}
