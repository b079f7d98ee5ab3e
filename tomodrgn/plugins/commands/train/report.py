"""The report that training leaves: what is known of a run when it ends."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from tomodrgn.core.analysis.latent_activity import dimension_divergence
from tomodrgn.core.analysis.latent_axes import PrincipalAxes, principal_axes
from tomodrgn.core.analysis.latent_findings import GOES_WITH_METADATA, components_with_metadata
from tomodrgn.core.analysis.latent_traversals import values_at
from tomodrgn.core.analysis.particle_columns import particle_columns
from tomodrgn.core.data.checkups import read_held_out
from tomodrgn.core.data.chosen_epoch import END, choose_epoch
from tomodrgn.core.data.epochs import read_metrics
from tomodrgn.core.placement.contour import common_level
from tomodrgn.core.products import REPORT, TRAINING_CURVES, WEIGHTS
from tomodrgn.core.report.points import ReportPoints
from tomodrgn.core.report.report import (
    MAX_BYTES_OF_PICTURES,
    Album,
    Report,
    component_columns,
    latent_map,
    latent_model,
    tomogram_maps,
    tomograms_of,
    write_report,
)
from tomodrgn.core.report.run_findings import (
    SOURCES,
    related_columns,
    run_sources,
    run_warnings,
    verdict_words,
)

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from tomodrgn.core.data.chosen_epoch import ChosenEpoch
    from tomodrgn.core.data.run import Run
    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.core.report.page import Picture, Table
    from tomodrgn.core.report.report import Sections

PERCENTILES: Final = (5.0, 25.0, 50.0, 75.0, 95.0)
"""Percent of the particles below each volume that is shown along a component."""
_ONE_STRUCTURE: Final = (
    "One structure was fitted to all particles. Whether they differ was not asked; train_linear "
    "asks."
)
_MAX_AXES: Final = 2
_MIN_SHARE: Final = 0.01
"""Part of the variance of a component along which volumes are worth a look."""
_MAX_BOX_PX: Final = 48
"""Volumes are shown in no larger box, so that they take seconds without a GPU."""


def write_run_report(run: Run, device: torch.device) -> None:
    """Write ``report.html`` of a finished run.

    Args:
        run: it.
        device: where volumes are decoded.
    """
    results, directory = run.results(), run.directory
    columns = particle_columns(results)
    latents = None if results.latents is None else _Latents.of(run, results.latents)
    places = None if latents is None else latents.places()
    volumes = np.stack(list(run.decode(places, device=device, max_box_px=_MAX_BOX_PX)))
    sections, left_out = _sections(directory, latents, volumes)
    sections |= dict(run.registry.additions("section", run))
    report = Report(
        results=results,
        moment="end of the run",
        model=latent_model(results),
        files=WEIGHTS if latents is None else f"{WEIGHTS}, {latents.chosen.files.latents.name}",
        verdict=_ONE_STRUCTURE if latents is None else verdict_words(latents.chosen),
        warnings={} if latents is None else latents.warnings(results, columns),
        points=_points(results, latents, columns),
        sections=sections,
        left_out=left_out,
    )
    write_report(directory / REPORT, report)


@dataclass(frozen=True, slots=True)
class _Latents:
    """Latents of a run at its end, on their principal components."""

    chosen: ChosenEpoch
    latents: NDArray[np.float32]
    axes: PrincipalAxes
    scores: NDArray[np.float32]

    @classmethod
    def of(cls, run: Run, latents: NDArray[np.float32]) -> _Latents:
        axes = principal_axes(latents)
        chosen = choose_epoch(run, END)
        return cls(chosen, latents, axes, axes.scores(latents))

    @property
    def n_shown(self) -> int:
        """Components along which volumes are shown: the first, and a second that is one."""
        return max(1, int((self.axes.shares[:_MAX_AXES] >= _MIN_SHARE).sum()))

    def places(self) -> NDArray[np.float32]:
        """(1 + 5 n, Z) the mean latent, then places along each component that is shown."""
        along = [
            self.axes.latents_at(axis, values_at(self.scores[:, axis], np.array(PERCENTILES)))
            for axis in range(self.n_shown)
        ]
        return np.concatenate([self.axes.mean[None].astype(np.float32), *along])

    def warnings(
        self, results: RunResults, columns: dict[str, NDArray[np.floating]]
    ) -> dict[str, str]:
        """What to beware of."""
        divergence = None
        if results.log_variance is not None:
            divergence = dimension_divergence(self.latents, results.log_variance)
        warnings = run_warnings(self.chosen, self.axes.shares, divergence)
        correlations = related_columns(self.scores, columns)
        related = components_with_metadata(correlations, len(self.latents))
        return warnings if related is None else warnings | {GOES_WITH_METADATA: related}


def _points(
    results: RunResults, latents: _Latents | None, columns: dict[str, NDArray[np.floating]]
) -> ReportPoints:
    maps = list(tomogram_maps(results.particles))
    components = {}
    if latents is not None:
        maps.insert(0, latent_map(latents.latents, latents.scores, latents.axes.shares))
        components = component_columns(latents.scores)
    return ReportPoints(
        maps=maps,
        kinds={"tomogram": tomograms_of(results.particles)},
        numbers=components | columns,
        index=results.particles.source_particle,
        latents=results.latents,
    )


def _sections(
    run: Path, latents: _Latents | None, volumes: NDArray[np.float32]
) -> tuple[Sections, list[str]]:
    """Pictures by heading, and what is left out; volumes are those of the places above."""
    album = Album(MAX_BYTES_OF_PICTURES)
    with tempfile.TemporaryDirectory() as folder:
        sections = {
            "Volumes": _volumes(album, Path(folder), latents, volumes),
            "Losses": _losses(album, Path(folder), run, latents),
            SOURCES: [] if latents is None else run_sources(latents.chosen.run),
        }
    return sections, album.missing


def _volumes(
    album: Album, folder: Path, latents: _Latents | None, volumes: NDArray[np.float32]
) -> list[Picture | Table]:
    from tomodrgn.core.figures.gallery import (
        central_slices,
        draw_planes,
        draw_slice_gallery,
    )

    level = common_level(volumes)
    slices = np.stack([central_slices(volume) for volume in volumes])
    consensus, along = folder / "consensus.png", folder / "along.png"
    draw_planes(consensus, slices[:1], [""], level)
    if latents is None:
        return album.take(consensus, "Central slices of the volume, with one contour.")
    rows = np.split(slices[1:], latents.n_shown)
    names = [f"PC {axis + 1}" for axis in range(latents.n_shown)]
    titles = [[f"{percent:.0f} %" for percent in PERCENTILES]] * latents.n_shown
    draw_slice_gallery(along, rows, names, titles, level)
    return album.take(
        consensus, "Central slices of the volume of the mean latent, with one contour."
    ) + album.take(
        along,
        "Central slices of volumes along the first principal components of the latents; the title "
        "says how many particles lie below. One gray scale, one contour.",
    )


def _losses(
    album: Album, folder: Path, run: Path, latents: _Latents | None
) -> list[Picture | Table]:
    shown = album.take(run / TRAINING_CURVES, "Losses of training tilts by epoch, counted from 0.")
    verdict = None if latents is None else latents.chosen.verdict
    if verdict is None:
        return shown
    from tomodrgn.core.figures.held_out import held_out

    path = folder / "held_out.png"
    table = pd.DataFrame([asdict(each) for each in read_held_out(run)])
    errors = read_metrics(run).set_index("epoch")["generative"]
    held_out(path, table, errors, verdict.recommended_epoch)
    return shown + album.take(
        path,
        "Left: error of held-out tilts by epoch, beside that of training tilts. Right: how much "
        "better the latents of particles predict them than the consensus map and than latents of "
        "other particles, as part of the signal that the map predicts.",
    )
