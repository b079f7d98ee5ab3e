"""The particles of a run as a Dynamo table.

Three files: ``particles.tbl``; ``tomograms.doc`` with the number and the name of each tomogram; and
``latents.txt`` with the tag and the latent of each particle. Tags and tomogram numbers are those of
the input where it names them by numbers, so that Dynamo can merge the table by its tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.plugin import DataError, read_labels, write_text_atomic
from tomodrgn_dynamo import table as columns

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.plugin import ExporterContext, ParticleSet, RunResults
    from tomodrgn_dynamo import DynamoExporterSpec


class DynamoExporter:
    """Writes positions and orientations, so the input must have them."""

    def __init__(self, spec: DynamoExporterSpec, context: ExporterContext) -> None:
        self.spec = spec
        self.outdir = context.outdir

    def export(self, results: RunResults, selection: NDArray[np.int64] | None) -> list[Path]:
        """Write the selected particles of the run."""
        particles = results.particles
        rows = np.arange(particles.n_particles) if selection is None else selection
        table = self._table(particles)
        table[:, columns.CLASS] = self._classes(particles.n_particles)
        numbers = table[:, columns.TOMOGRAM].astype(int)
        files = {"particles.tbl": _text(table[rows])}
        named = sorted(set(zip(numbers[rows], particles.tomogram[rows], strict=True)))
        files["tomograms.doc"] = "".join(f"{number} {name}\n" for number, name in named)
        if results.latents is not None:
            tags = table[:, [columns.TAG]]
            files["latents.txt"] = _text(np.hstack([tags, results.latents])[rows])
        for name, text in files.items():
            write_text_atomic(self.outdir / name, text)
        return [self.outdir / name for name in files]

    def _table(self, particles: ParticleSet) -> NDArray[np.float64]:
        """A row for each particle of the run."""
        if particles.position_a is None or particles.orientation is None:
            raise DataError(
                f"{particles.source}: gives poses of images, not of particles in their tomograms, "
                "so there is nothing to write into a Dynamo table; train on a set that has them"
            )
        pixel_size_a = self.spec.pixel_size_a or particles.pixel_size_a
        table = np.zeros((particles.n_particles, columns.N_COLUMNS))
        table[:, columns.TAG] = _numbers(particles.name, particles.source_particle + 1)
        table[:, [columns.ALIGNED, columns.AVERAGED]] = 1
        table[:, columns.EULER] = columns.euler_angles(particles.orientation)
        _, rank = np.unique(particles.tomogram.astype(str), return_inverse=True)
        table[:, columns.TOMOGRAM] = _numbers(particles.tomogram, rank + 1, unique=False)
        table[:, columns.POSITION] = particles.position_a / pixel_size_a
        table[:, columns.PIXEL_SIZE] = pixel_size_a
        return table

    def _classes(self, n_particles: int) -> NDArray[np.int64] | int:
        if self.spec.labels is None:
            return 0
        labels = read_labels(self.spec.labels)
        if len(labels) != n_particles or labels.dtype.kind not in "iu":
            raise DataError(
                f"{self.spec.labels}: holds {len(labels)} labels of type {labels.dtype}; one whole "
                f"number for each of the {n_particles} particles of the run is needed"
            )
        return labels


def _numbers(
    names: NDArray[np.object_], otherwise: NDArray[np.int64], *, unique: bool = True
) -> NDArray[np.int64]:
    """Names that are numbers, as numbers; otherwise others."""
    if not all(name.isdecimal() for name in names):
        return otherwise
    numbers = names.astype(np.int64)
    return otherwise if unique and len(set(numbers)) < len(numbers) else numbers


def _text(table: NDArray[np.float64]) -> str:
    """Rows of numbers, with as many digits as angles and positions need."""
    return "".join(" ".join(f"{value:.9g}" for value in row) + "\n" for row in table.tolist())
