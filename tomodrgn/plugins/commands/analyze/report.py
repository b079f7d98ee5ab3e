"""The report of an analysis: all that was found in the latents of a run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.files.json_text import read_json
from tomodrgn.core.products import CONFOUNDS, CONFOUNDS_PICTURE, REPORT
from tomodrgn.core.report.page import Table
from tomodrgn.core.report.points import Kinds, Places, ReportPoints
from tomodrgn.core.report.report import (
    MAX_BYTES_OF_PICTURES,
    Album,
    Report,
    classes_by_tomogram,
    component_columns,
    latent_map,
    latent_model,
    tomogram_maps,
    tomograms_of,
    write_report,
)
from tomodrgn.core.report.run_findings import verdict_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.chosen_epoch import ChosenEpoch
    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.report.page import Picture
    from tomodrgn.core.report.report import Sections
    from tomodrgn.plugins.commands.analyze.latents import LatentAnalysis
    from tomodrgn.plugins.commands.analyze.spec import AnalysisSpec

logger = logging.getLogger(__name__)


def write_analysis_report(
    outdir: Path,
    spec: AnalysisSpec,
    chosen: ChosenEpoch,
    *,
    results: RunResults,
    found: LatentAnalysis,
    findings: Mapping[str, Any],
    columns: Mapping[str, NDArray[np.floating]],
) -> None:
    """Write ``report.html`` with columns (B,); PNG pictures in ``outdir`` are taken into it."""
    sections, left_out = _sections(outdir, spec, chosen.run, findings)
    report = Report(
        results=results,
        moment="end of the run" if chosen.epoch is None else f"epoch {chosen.epoch}",
        model=latent_model(results),
        files=f"{chosen.files.weights.name}, {chosen.files.latents.name}",
        verdict=verdict_words(chosen),
        warnings=findings["warnings"],
        points=_points(results.particles, found, columns),
        sections=sections,
        left_out=left_out,
    )
    write_report(outdir / REPORT, report)


def _points(
    particles: ParticleSet, found: LatentAnalysis, columns: Mapping[str, NDArray[np.floating]]
) -> ReportPoints:
    kinds = {
        each.folder: Kinds(
            codes=each.found.labels, names=[f"{label}" for label in range(len(each.found.sizes))]
        )
        for each in found.clusters
    }
    return ReportPoints(
        maps=list(_maps(particles, found)),
        kinds=kinds | {"tomogram": tomograms_of(particles)},
        numbers=component_columns(found.scores) | dict(columns),
        index=particles.source_particle,
        latents=found.latents,
    )


def _maps(particles: ParticleSet, found: LatentAnalysis) -> Iterator[Places]:
    yield latent_map(found.latents, found.scores, found.axes.shares)
    if found.umap is not None:
        yield Places(name="UMAP", axes=("l-UMAP1", "l-UMAP2"), places=found.umap.places)
    yield from tomogram_maps(particles)


def _sections(
    outdir: Path, spec: AnalysisSpec, run: Path, findings: Mapping[str, Any]
) -> tuple[Sections, list[str]]:
    """Pictures and tables by heading; and what is left out, in words."""
    album, of_run = Album(MAX_BYTES_OF_PICTURES), Album(MAX_BYTES_OF_PICTURES // 5)
    if spec.plot_format != "png":
        album = Album(0)  # what is there as PNG is of an earlier call
        album.missing.append(f"pictures of this analysis, which are {spec.plot_format}, not png")
    sections: Sections = {
        "Volumes": _volumes(album, outdir, findings) if findings["volumes"] else [],
        "Clusters by tomogram": [_by_tomogram(each) for each in findings["clusters"]],
        "What explains the latents": [
            *_nuisance(run / CONFOUNDS),
            *of_run.take(run / CONFOUNDS_PICTURE, "Nuisance report of the whole run."),
        ],
        "Variance and losses": [
            *album.take(
                outdir / "z_pca_explainedvariance.png",
                "Share of the variance of the latents along each principal component.",
            ),
            *album.take(outdir / "model_loss.png", "Losses by epoch."),
        ],
    }
    return sections, album.missing + of_run.missing


def _volumes(album: Album, outdir: Path, findings: Mapping[str, Any]) -> list[Picture | Table]:
    """Slices of the volumes that this analysis decoded."""
    along = album.take(
        outdir / "z_pca_volumes.png",
        "Central slices of the volumes along each principal component of the latents, from the 5th "
        "to the 95th percentile of the particles; one gray scale, one contour.",
    )
    for folder in [each["folder"] for each in findings["clusters"]]:
        along += album.take(
            outdir / folder / "volumes.png",
            f"{folder}: central slices of the volume in the middle of each cluster; in brackets "
            "how many particles it has.",
        )
    return along


def _by_tomogram(clusters: Mapping[str, Any]) -> Table:
    counts = np.asarray(clusters["particles_by_tomogram"]).T
    return classes_by_tomogram(clusters["folder"], clusters["tomograms"], counts, what="cluster")


def _nuisance(path: Path) -> list[Picture | Table]:
    """The table of ``tomodrgn nuisance``, where it has been called."""
    if not path.exists():
        return []
    try:
        covariates = read_json(path)["covariates"]
        rows = [
            [
                each["name"],
                f"{max(each['explained']):.1%}",
                f"{each['by_chance']:.1%}",
                f"{each['explained_of_all']:.1%}",
                "look into it" if each["is_worrying"] else "",
            ]
            for each in covariates
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s: left out of the report (%s)", path, error)
        return []
    return [
        Table(
            caption="Variance of the latents at the end of the run that goes with what else is "
            "known of the particles: of the direction explained best, what chance alone reaches "
            "there once in 20 times, and of all directions together.",
            head=["known of particles", "of one direction", "by chance", "of all", ""],
            rows=rows,
        )
    ]
