"""The report that a classification leaves: its classes, their maps, and whether to believe them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.analysis.latent_findings import (
    ONE_TOMOGRAM,
    clusters_of_one_tomogram,
    count_by_tomogram,
)
from tomodrgn.core.analysis.particle_columns import particle_columns
from tomodrgn.core.files.arrays import read_npy
from tomodrgn.core.files.json_text import read_json
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.particles.outliers_file import JUNK_CLASS, JUNK_GROUP
from tomodrgn.core.placement.contour import automatic_level
from tomodrgn.core.products import CLASSES, LABELS, POSTERIOR, REPORT
from tomodrgn.core.report.drawing import drawing
from tomodrgn.core.report.page import Table
from tomodrgn.core.report.points import Kinds, ReportPoints
from tomodrgn.core.report.report import (
    MAX_BYTES_OF_PICTURES,
    Album,
    Report,
    classes_by_tomogram,
    tomogram_maps,
    tomograms_of,
    write_report,
)
from tomodrgn.core.report.run_findings import SOURCES, outlier_warnings, sources_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tomodrgn.core.analysis.latent_findings import TomogramCounts
    from tomodrgn.core.data.run import Run
    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.core.report.page import Picture


def draw_class_report(run: Run) -> None:
    """Write the report of a classification that has ended."""
    with drawing(REPORT):
        write_class_report(run)


def write_class_report(run: Run) -> None:
    """Write ``report.html`` beside the classes of a finished classification."""
    results, directory = run.results(), run.directory
    figures: dict[str, Any] = read_json(directory / CLASSES)
    labels, posterior = read_labels(directory / LABELS), read_npy(directory / POSTERIOR)
    n_classes, is_real = len(figures["sizes"]), labels != JUNK_CLASS
    album = Album(MAX_BYTES_OF_PICTURES)
    tomogram = results.particles.tomogram
    by_tomogram = count_by_tomogram(labels[is_real], n_classes, tomogram[is_real])
    report = Report(
        results=results,
        moment="classes",
        model=f"{n_classes} classes",
        files=f"{LABELS}, {POSTERIOR}, class_*.mrc",
        verdict=_verdict(figures),
        warnings=_warnings(figures, by_tomogram),
        points=_points(results, labels, posterior),
        sections={
            "Classes": [_table(figures)],
            "Maps": _maps(album, directory, figures["sizes"]),
            "Classes by tomogram": [
                classes_by_tomogram(LABELS, by_tomogram.names, by_tomogram.counts.T, what="class")
            ],
            SOURCES: sources_table(figures),
        },
        left_out=album.missing,
    )
    write_report(directory / REPORT, report)


def _points(
    results: RunResults, labels: NDArray[np.int64], posterior: NDArray[np.float32]
) -> ReportPoints:
    particles, n_classes = results.particles, posterior.shape[1]
    names = [f"{label}" for label in range(n_classes)]
    is_junk = labels == JUNK_CLASS
    kinds = Kinds(
        codes=np.where(is_junk, n_classes, labels),
        names=[*names, JUNK_GROUP] if is_junk.any() else names,
    )
    sure = {f"probability of class {name}": posterior[:, int(name)] for name in names}
    return ReportPoints(
        maps=list(tomogram_maps(particles)),
        kinds={"class": kinds, "tomogram": tomograms_of(particles)},
        numbers=sure | particle_columns(results),
        index=particles.source_particle,
        latents=None,
    )


def _verdict(figures: dict[str, Any]) -> str:
    held_out = figures.get("verdict", figures["held_out"])  # runs of before have no verdict
    gain, z = (np.max(held_out[name]) for name in ("gain", "z"))
    text = f"log likelihood {gain:+.2f} per particle, {z:.1f} standard errors"
    if figures["is_heterogeneous"]:
        return (
            "Particles differ: tilts that took no part in sorting a particle are predicted better "
            "by the map of its class than by one map of all with errors of pose and contrast "
            f"({text})."
        )
    return f"No heterogeneity found: classes do not help to predict held-out tilts ({text})."


def _warnings(figures: dict[str, Any], by_tomogram: TomogramCounts) -> dict[str, str]:
    warnings = {}
    if not figures["is_heterogeneous"]:
        warnings["no heterogeneity found"] = (
            "do not interpret these classes, however different their maps look"
        )
    if not figures["is_settled"]:
        warnings["not settled"] = "some particles still changed class when rounds ended"
    warnings |= outlier_warnings(figures)
    lonely = clusters_of_one_tomogram(by_tomogram)
    return warnings if lonely is None else warnings | {ONE_TOMOGRAM: lonely}


def _table(figures: dict[str, Any]) -> Table:
    rows = [
        [
            f"{label}",
            size,
            "-" if sure is None else f"{sure:.3f}",
            f"{resolution_a:.1f}" if size and resolution_a is not None else "-",
        ]
        for label, (size, sure, resolution_a) in enumerate(
            zip(figures["sizes"], figures["mean_posterior"], figures["resolution_a"], strict=True)
        )
    ]
    return Table(
        caption="Particles of each class, the mean probability of the class among them, and the "
        "resolution to which half maps of the class agree.",
        head=["class", "particles", "probability", "resolution (Å)"],
        rows=rows,
    )


def _maps(album: Album, run: Path, sizes: Sequence[int]) -> list[Picture | Table]:
    """Slices of the class maps, of which one is in memory at a time, and agreement of halves."""
    from tomodrgn.core.figures.gallery import central_slices, draw_planes

    slices, levels, names = [], [], []
    for label, size in enumerate(sizes):
        volume, _ = read_volume(run / f"class_{label:03d}.mrc")
        slices.append(central_slices(volume))
        levels.append(automatic_level(volume))
        names.append(f"class {label} ({size:,})")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "maps.png"
        draw_planes(path, np.stack(slices), names, float(np.median(levels)))
        shown = album.take(
            path,
            "Central slices of the class maps, straight from the images; in brackets how many "
            "particles a class has. One gray scale, one contour.",
        )
    return shown + album.take(
        run / "class_FSC.png",
        "Agreement of the half maps of each class, each of half of its particles.",
    )
