"""The particles file that a run was trained on, with what the run found as new columns.

Every column of the input stays as it is, the paths of images too. A particle of the run keeps all
its rows, also of images that the run left out.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.files.named_files import stack_folder, stack_of_image
from tomodrgn.core.interfaces import SelectionWriter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import ExporterContext, RunResults
    from tomodrgn.plugins.exporters import StarSpec

logger = logging.getLogger(__name__)


class StarExporter:
    """Writes the rows of the input that show particles of the run."""

    def __init__(self, spec: StarSpec, context: ExporterContext) -> None:
        self._spec = spec
        self._outdir = context.outdir

    def export(self, results: RunResults, selection: NDArray[np.int64] | None) -> list[Path]:
        """The rows (n,) of the particles file; of an optimisation set, all its files."""
        reader, particles = results.reader, results.particles
        if not isinstance(reader, SelectionWriter):
            raise DataError(
                f"{particles.source}: its reader cannot write part of its input, so there is no "
                "file to add columns to; use z.pkl of the run"
            )
        chosen = np.arange(particles.n_particles) if selection is None else selection
        source = reader.source_rows()
        places = particles.source_particle[chosen]
        rows = np.flatnonzero(np.isin(source.particle, places))
        columns: dict[str, NDArray[np.object_]] = {}
        for name, values in self._values(results).items():
            columns[name] = np.full(len(source.tomogram), "", dtype=object)
            columns[name][places] = _text(values[chosen])
        out = self._outdir / f"{particles.source.stem}_{self._spec.prefix}.star"
        if reader.has_images and out.parent.resolve() != particles.source.parent.resolve():
            logger.info(
                "paths of images stay as written; where they do not lead to them from %s, give "
                "--datadir %s", self._outdir, _stack_folder(results),
            )  # fmt: skip
        return reader.write_selection(rows, out, columns)

    def _values(self, results: RunResults) -> dict[str, NDArray[Any]]:
        """(B,) values of each new column."""
        prefix = self._spec.prefix
        values: dict[str, NDArray[Any]] = {}
        if results.latents is not None:
            for number, latent in enumerate(results.latents.T, start=1):
                values[f"{prefix}Latent{number}"] = latent
        if results.log_variance is not None and self._spec.uncertainty:
            for number, variance in enumerate(results.log_variance.T, start=1):
                values[f"{prefix}LatentSd{number}"] = np.exp(variance / 2)
        for number, path in enumerate(self._spec.labels, start=1):
            labels = read_labels(path)
            if len(labels) != results.particles.n_particles:
                raise DataError(
                    f"{path}: holds {len(labels)} labels, the run has "
                    f"{results.particles.n_particles} particles; give labels of this run"
                )
            values[f"{prefix}Label{number if self._spec.labels[1:] else ''}"] = labels
        return values


def _stack_folder(results: RunResults) -> Path:
    """The folder to give as ``--datadir`` for the images of a run."""
    particles = results.particles
    first = stack_of_image(str(particles.image_name[0]))
    return stack_folder(first, particles.source, results.spec["reader"].get("datadir"))


def _text(values: NDArray[Any]) -> list[str]:
    """Values as a STAR file has them."""
    if values.dtype.kind == "f":
        return [f"{value:.7g}" for value in values.tolist()]
    return [str(value) for value in values.tolist()]
