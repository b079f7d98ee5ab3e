"""What is drawn by mapback: particles with their places, and what is known of each."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.data.run_directory import find_run_directory
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.particles.identity import match_particles
from tomodrgn.core.particles.selection import read_indices
from tomodrgn.core.placement.colors import (
    PALETTE,
    Colors,
    color_by_value,
    color_in_turn,
    color_spread,
    is_gradual,
)
from tomodrgn.core.placement.columns import read_column
from tomodrgn.core.products import LABELS, LATENTS, WEIGHTS
from tomodrgn.plugins.commands.mapback.placed_particles import (
    PlacedParticles,
    input_order,
    placed_particles,
    rows_by_tomogram,
    values_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.data.inputs import Inputs
    from tomodrgn.core.data.run import Run
    from tomodrgn.core.particles.identity import NamedParticles
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.plugins.commands.mapback.spec import MapbackSpec

_LATENT: Final = re.compile(r"z(\d+)")
_COORDINATE_PIXEL: Final = "coordinate_pixel_size_a"
"""Field of readers that tell the pixel size of coordinates from that of images."""
_MEASURED: Final = "viridis"
"""Color map of measurements."""


@dataclass(frozen=True, slots=True)
class _Names:
    """Pairs of names of some particles, as :func:`match_particles` takes them."""

    tomogram: NDArray[np.object_]
    name: NDArray[np.object_]

    def overlap(self, others: NamedParticles) -> bool:
        """Whether any particle is also among others."""
        mine = set(zip(self.tomogram.tolist(), self.name.tolist(), strict=True))
        theirs = zip(others.tomogram.tolist(), others.name.tolist(), strict=True)
        return not mine.isdisjoint(theirs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The particles to draw, and where to look up what is known of them.

    Attributes:
        spec: what was asked for.
        inputs: open further files.
        star: file that has the columns.
        everyone: all particles that were read.
        particles: those to draw, in the order of the input.
        run: the run that they were taken from; None where a STAR file was given.
    """

    spec: MapbackSpec
    inputs: Inputs
    star: Path
    everyone: ParticleSet
    particles: PlacedParticles
    run: Run | None

    def column(self, name: str) -> NDArray[Any]:
        """(B,) values of a column of the STAR file."""
        return self._of_everyone(read_column(self.star, name, self.everyone))

    def values_of(self, values: NDArray[Any], where: object, what: str) -> NDArray[Any]:
        """(B, ...) values from a file with one for each particle.

        It may also have one for each particle of the tomogram to draw; then the others, which
        nobody sees, get the first of them.

        Raises:
            DataError: it has another number of values.
        """
        rows = rows_by_tomogram(self.particles, self.spec.tomogram)
        drawn = np.sort(np.concatenate(list(rows.values())))
        known = {self.particles.n_input, self.particles.n_read, len(self.particles)}
        if len(values) != len(drawn) or len(drawn) in known:
            return values_of(values, self.particles, where, what)
        everyone = np.repeat(values[:1], len(self.particles), axis=0)
        everyone[drawn] = values
        return everyone

    def latents(self) -> NDArray[np.float32]:
        """(B, Z) latents of the particles.

        Raises:
            DataError: they are not known, or not of these particles.
            RunError: there is no run, or it has none.
        """
        if self.spec.zfile is not None:
            return self.values_of(read_latents(self.spec.zfile)[0], self.spec.zfile, "latents")
        run = self.run or self.inputs.run(self.run_directory())
        if run.z is None:
            raise RunError(f"{run.directory}: is a run of one structure, without latents")
        path = run.directory / self.weights().name.replace("weights", "z", 1)
        latents = run.z if path.name == LATENTS else read_latents(path)[0]
        if self.run is not None:
            return self._of_everyone(latents)
        wanted = _Names(
            self._of_everyone(self.everyone.tomogram), self._of_everyone(self.everyone.name)
        )
        if wanted.overlap(run.particles):
            return latents[match_particles(run.particles, wanted)]
        in_order = latents[input_order(run.particles)]  # of a program with other names for them
        return self.values_of(in_order, path, "latents")

    def classes(self) -> NDArray[np.int64]:
        """(B,) classes of the particles."""
        assert self.spec.class_volumes is not None  # noqa: S101  asked only then, for mypy
        path = self.spec.class_labels or self.spec.class_volumes / LABELS
        if not path.exists():
            raise DataError(f"{path}: is missing; give the class of each particle, --class-labels")
        labels = self.values_of(read_labels(path), path, "labels")
        if labels.dtype.kind not in "biuf" or (labels != np.floor(labels)).any():
            raise DataError(f"{path}: classes are whole numbers, as in the names of their maps")
        return labels.astype(np.int64)

    def weights(self) -> Path:
        """Weights of the model that makes maps."""
        return self.spec.weights or self.run_directory() / WEIGHTS

    def run_directory(self) -> Path:
        """The run that has the model and the latents.

        Raises:
            RunError: nobody names one.
        """
        if self.run is not None:
            return self.run.directory
        if self.spec.config is None and self.spec.weights is None:
            raise RunError(
                f"{self.spec.particles}: is no run directory, so nothing is known of its latents; "
                "name the run with --config"
            )
        return find_run_directory(self.spec.config, self.spec.weights or Path())

    def _of_everyone(self, values: NDArray[Any]) -> NDArray[Any]:
        """The rows of the particles to draw, among those of all particles that were read."""
        return values[input_order(self.everyone)][self.particles.row]


def read_subject(inputs: Inputs, spec: MapbackSpec) -> Subject:
    """The particles that a spec asks for.

    Raises:
        DataError: the input has no coordinates, or a file does not fit it.
    """
    run = inputs.run(spec.particles) if spec.particles.is_dir() else None
    star = spec.particles if run is None else Path(run.spec.reader.model_dump()["path"])
    everyone = _read_particles(inputs, spec) if run is None else run.particles
    try:
        particles = placed_particles(everyone)
    except DataError as error:
        if run is not None:
            error.add_note(f"name the run beside it, with --config {run.directory}")
        raise
    if spec.tomogram_column is not None:
        names = read_column(star, spec.tomogram_column, everyone)[input_order(everyone)]
        particles = replace(particles, tomogram=names.astype(str).astype(object))
    if spec.ind is not None:
        indices = read_indices(spec.ind, particles.n_input, "particles")
        particles = particles.take(np.isin(particles.index, indices))
        if not len(particles):
            raise DataError(f"{spec.ind}: none of its particles is left; give others")
    return Subject(
        spec=spec, inputs=inputs, star=star, everyone=everyone, particles=particles, run=run
    )


def color_particles(subject: Subject) -> Colors:
    """Colors of the particles by what the spec asks for.

    Raises:
        DataError: there is no such column, latent dimension, color map or label for each.
    """
    from tomodrgn.core.figures.colors import color_map  # which brings matplotlib

    values = _values(subject)
    name = subject.spec.colormap
    if is_gradual(values):
        return color_by_value(values, color_map(name or _MEASURED).gradient)
    if name is None:
        return color_in_turn(values, PALETTE)
    chosen = color_map(name)
    if chosen.in_turn is not None:
        return color_in_turn(values, chosen.in_turn)
    return color_spread(values, chosen.gradient)


def _values(subject: Subject) -> NDArray[Any]:
    """(B,) what particles are colored by; without a wish, so that neighbors differ."""
    spec, particles = subject.spec, subject.particles
    if spec.labels is not None:
        return subject.values_of(read_labels(spec.labels), spec.labels, "labels")
    if spec.color_by == "tomogram":
        return particles.tomogram
    if spec.color_by is not None:
        latent = _LATENT.fullmatch(spec.color_by)
        return subject.column(spec.color_by) if latent is None else _latent(subject, int(latent[1]))
    if spec.class_volumes is not None:
        return subject.classes()
    return np.arange(len(particles)) % len(PALETTE)


def _latent(subject: Subject, dimension: int) -> NDArray[np.float64]:
    latents = subject.latents()
    if dimension >= latents.shape[1]:
        raise DataError(
            f"color_by: there is no z{dimension}; latents have {latents.shape[1]} dimensions, z0 "
            f"to z{latents.shape[1] - 1}"
        )
    return latents[:, dimension].astype(np.float64)


def _read_particles(inputs: Inputs, spec: MapbackSpec) -> ParticleSet:
    """The particles of a STAR file."""
    file = inputs.particles_file(spec.particles)
    unit = _COORDINATE_PIXEL if file.has_option(_COORDINATE_PIXEL) else "pixel_size_a"
    options: dict[str, Any] = {unit: spec.pixel_size_a}
    if spec.tomograms is not None:
        options["tomograms"] = spec.tomograms
        if not file.has_option("tomograms"):
            raise DataError(
                f"{spec.particles}: is read as {file.kind}, which has no tomograms file; leave "
                "--tomograms out"
            )
    reader = file.reader(needs_images=False, **options)
    try:
        return reader.read()
    except DataError as error:  # readers name the option of commands that read images
        raise DataError(str(error).replace("--Apix", "--star-apix-override")) from error
