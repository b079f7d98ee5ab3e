"""The particles of a run in their tomograms, as one ChimeraX script of markers per tomogram.

Maps in place of markers, and more ways to color, are the business of the command
``subtomo2chimerax``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.figures.colors import color_map
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.file_names import file_stems
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.placement.chimerax import legend, marker_commands
from tomodrgn.core.placement.colors import PALETTE, Colors, color_by_value, color_in_turn

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import ExporterContext, RunResults
    from tomodrgn.plugins.exporters import ChimeraxSpec

_GRADIENT = "viridis"


class ChimeraxExporter:
    """Writes ``TOMOGRAM.cxc`` and ``TOMOGRAM_rgba_labels.txt`` for each tomogram."""

    def __init__(self, spec: ChimeraxSpec, context: ExporterContext) -> None:
        self._spec = spec
        self._outdir = context.outdir

    def export(self, results: RunResults, selection: NDArray[np.int64] | None) -> list[Path]:
        """Markers of the selected rows (n,), colored alike in all tomograms."""
        particles = results.particles
        if particles.position_a is None:
            raise DataError(
                f"{particles.source}: has no coordinates of particles in their tomograms; use "
                "subtomo2chimerax with the volume series of the same particles and -c RUN"
            )
        chosen = np.arange(particles.n_particles) if selection is None else np.sort(selection)
        colors = self._colors(results).take(chosen)
        position_a, tomogram = particles.position_a[chosen], particles.tomogram[chosen]
        written: list[Path] = []
        names = sorted(set(particles.tomogram.tolist()))
        for name, stem in zip(names, file_stems(names), strict=True):
            rows = np.flatnonzero(tomogram == name)
            part = colors.take(rows)
            if not len(rows):
                continue
            script = self._outdir / f"{stem}.cxc"
            text = marker_commands(position_a[rows], part.rgb, self._spec.marker_radius_a)
            write_text_atomic(script, text)
            write_text_atomic(self._outdir / f"{stem}_rgba_labels.txt", legend(part))
            written += [script, self._outdir / f"{stem}_rgba_labels.txt"]
        return written

    def _colors(self, results: RunResults) -> Colors:
        """Colors of all particles of the run: by label, by a latent number, or by tomogram."""
        spec, particles = self._spec, results.particles
        if spec.labels is not None:
            labels = read_labels(spec.labels)
            if len(labels) != particles.n_particles:
                raise DataError(
                    f"{spec.labels}: holds {len(labels)} labels, the run has "
                    f"{particles.n_particles} particles; give labels of this run"
                )
            return color_in_turn(labels, PALETTE)
        if spec.latent is None:
            return color_in_turn(particles.tomogram, PALETTE)
        n_latents = 0 if results.latents is None else results.latents.shape[1]
        if results.latents is None or spec.latent > n_latents:
            raise DataError(
                f"latent: {spec.latent} is asked for, the run has {n_latents} latent dimensions; "
                "give a smaller number, or leave it out"
            )
        values = results.latents[:, spec.latent - 1].astype(np.float64)
        return color_by_value(values, color_map(_GRADIENT).gradient)
