"""What an analysis found, as plain values for ``analysis.json``, and warnings in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.analysis.latent_activity import dimension_divergence
from tomodrgn.core.analysis.latent_findings import (
    GOES_WITH_METADATA,
    ONE_DIRECTION,
    ONE_TOMOGRAM,
    UNUSED_LATENT,
    clusters_of_one_tomogram,
    components_with_metadata,
    count_by_tomogram,
    one_direction,
    rank_correlations,
    spare_dimensions,
)
from tomodrgn.core.analysis.latent_traversals import PERCENTILES
from tomodrgn.core.products import LINEAR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.pipeline.analysis_input import ChosenEpoch
    from tomodrgn.core.pipeline.analysis_latents import LatentAnalysis, NamedClusters
    from tomodrgn.core.pipeline.analysis_volumes import DecodedSets, VolumeSet

_AXES_COMPARED = 2


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


def verdict_words(chosen: ChosenEpoch) -> str:
    """Whether to believe that particles differ as the latents say."""
    if chosen.verdict is not None:
        return f"Held-out tilts: {chosen.verdict.reason}."
    figures = _linear_figures(chosen.run)
    if figures is None:
        return (
            "No tilts were held out, so nothing here tells learning from memorising; train with "
            "--fraction-train 0.8 to be told."
        )
    held_out = figures["held_out"]
    best = int(np.argmax(held_out["z"]))
    gain = (
        f"log likelihood {held_out['gain'][best]:+.2f} per particle, {held_out['z'][best]:.1f} "
        "standard errors"
    )
    if figures["is_heterogeneous"]:
        return (
            "Particles differ: with latents, tilts that no latent was fitted to are foretold "
            f"better than by the consensus map ({gain})."
        )
    return f"No heterogeneity found: latents do not help to foretell held-out tilts ({gain})."


def run_warnings(
    chosen: ChosenEpoch, shares: NDArray[np.float64], divergence: NDArray[np.float64] | None
) -> dict[str, str]:
    """What to beware of in a run, in words, by short names.

    Args:
        chosen: the run at an epoch.
        shares: (Z,) of the variance of the latents along each principal component.
        divergence: (Z,) mean divergence of each latent dimension from the prior, where it is known.
    """
    warnings: dict[str, str] = {}
    if chosen.verdict is not None:
        warnings |= chosen.verdict.warnings
        best = chosen.verdict.recommended_epoch
        if chosen.epoch is not None and best != chosen.epoch:
            warnings["another epoch is recommended"] = (
                f"held-out tilts favour epoch {best}, this is epoch {chosen.epoch}; see "
                "--epoch recommended"
            )
    spare = None if divergence is None else spare_dimensions(divergence)
    if spare is not None:
        warnings.setdefault(*spare)
    line = one_direction(shares)
    if line is not None:
        warnings[ONE_DIRECTION] = line
    linear = _linear_figures(chosen.run)
    if linear is not None and linear["is_heterogeneous"] is False:
        warnings[UNUSED_LATENT] = (
            "latents of the linear model add nothing significant to the consensus map on held-out "
            "tilts: clusters and components may be noise"
        )
    return warnings


def related_columns(
    scores: NDArray[np.float32], columns: Mapping[str, NDArray[np.floating]]
) -> dict[str, list[float]]:
    """Rank correlations of what is known of particles (B,) with their first components (B, Z)."""
    return {
        name: rank_correlations(scores, values, _AXES_COMPARED) for name, values in columns.items()
    }


def _lonely_clusters(particles: ParticleSet, found: LatentAnalysis) -> dict[str, str]:
    labels, n_labels = found.clusters[0].found.labels, len(found.clusters[0].found.sizes)
    lonely = clusters_of_one_tomogram(count_by_tomogram(labels, n_labels, particles.tomogram))
    return {} if lonely is None else {ONE_TOMOGRAM: lonely}


def _linear_figures(run: Path) -> dict[str, Any] | None:
    """What a linear fit says of itself; None where the run is none."""
    path = run / LINEAR
    if not path.exists():
        return None
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return figures if {"is_heterogeneous", "held_out"} <= set(figures) else None
    except (OSError, ValueError, TypeError):
        return None  # damaged: it is only one of several hints
