"""What is drawn by mapback: particles with their places, and what is known of each."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.particles.selection import read_indices
from tomodrgn.core.placement.colours import (
    PALETTE,
    Colours,
    colour_by_value,
    colour_in_turn,
    colour_spread,
    is_gradual,
)
from tomodrgn.core.placement.columns import read_column
from tomodrgn.core.placement.particles import (
    PlacedParticles,
    input_order,
    placed_particles,
    values_of,
)
from tomodrgn.core.run_directory import find_run_directory
from tomodrgn.core.specs.faults import validate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.mapback import MapbackSpec

_LATENT: Final = re.compile(r"z(\d+)")
_MEASURED: Final = "viridis"
"""Colour map of measurements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The particles to draw, and where to look up what is known of them.

    Attributes:
        spec: what was asked for.
        star: file that has the columns.
        everyone: all particles that were read.
        particles: those to draw, in the order of the input.
    """

    spec: MapbackSpec
    star: Path
    everyone: ParticleSet
    particles: PlacedParticles

    def column(self, name: str) -> NDArray[Any]:
        """(B,) values of a column of the STAR file."""
        values = read_column(self.star, name, self.everyone)
        return values[input_order(self.everyone)][self.particles.row]

    def latents(self) -> NDArray[np.float32]:
        """(B, Z) latents of the particles."""
        path = self.spec.zfile or self._run_directory() / "z.pkl"
        return values_of(read_latents(path)[0], self.particles, str(path))

    def classes(self) -> NDArray[np.int64]:
        """(B,) classes of the particles."""
        assert self.spec.class_volumes is not None  # noqa: S101  asked only then, for mypy
        path = self.spec.class_labels or self.spec.class_volumes / "labels.pkl"
        labels = values_of(read_labels(path), self.particles, str(path))
        if labels.dtype.kind not in "biuf" or (labels != np.floor(labels)).any():
            raise DataError(f"{path}: classes are whole numbers, as in the names of their maps")
        return labels.astype(np.int64)

    def weights(self) -> Path:
        """Weights of the model that makes maps."""
        return self.spec.weights or self._run_directory() / "weights.pkl"

    def _run_directory(self) -> Path:
        spec = self.spec
        config = spec.particles if spec.particles.is_dir() else spec.config
        if config is None and spec.weights is None:
            raise DataError(
                f"{spec.particles}: is no run directory, so its particles have no latents; name "
                "the run with --config, or give --weights and --zfile"
            )
        return find_run_directory(config, spec.weights or Path())


def read_subject(spec: MapbackSpec, registry: Registry) -> Subject:
    """The particles that a spec asks for.

    Raises:
        DataError: the input has no coordinates, or a file does not fit it.
    """
    star, everyone = _read_particles(spec, registry)
    particles = placed_particles(everyone)
    if spec.tomogram_column is not None:
        names = read_column(star, spec.tomogram_column, everyone)[input_order(everyone)]
        particles = replace(particles, tomogram=names.astype(str).astype(object))
    if spec.ind is not None:
        indices = read_indices(spec.ind, particles.n_input, "particles")
        particles = particles.take(np.isin(particles.index, indices))
        if not len(particles):
            raise DataError(f"{spec.ind}: none of its particles is left; give others")
    return Subject(spec=spec, star=star, everyone=everyone, particles=particles)


def colour_particles(subject: Subject) -> Colours:
    """Colours of the particles by what the spec asks for.

    Raises:
        DataError: there is no such column, latent dimension, colour map or label for each.
    """
    from tomodrgn.core.analysis.colours import colour_map  # which brings matplotlib

    values = _values(subject)
    name = subject.spec.colormap
    if is_gradual(values):
        return colour_by_value(values, colour_map(name or _MEASURED).gradient)
    if name is None:
        return colour_in_turn(values, PALETTE)
    chosen = colour_map(name)
    if chosen.in_turn is not None:
        return colour_in_turn(values, chosen.in_turn)
    return colour_spread(values, chosen.gradient)


def _values(subject: Subject) -> NDArray[Any]:
    """(B,) what particles are coloured by; without a wish, so that neighbours differ."""
    spec, particles = subject.spec, subject.particles
    if spec.labels is not None:
        return values_of(read_labels(spec.labels), particles, str(spec.labels))
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


def _read_particles(spec: MapbackSpec, registry: Registry) -> tuple[Path, ParticleSet]:
    """The STAR file and its particles."""
    kind = registry.identify_reader(spec.particles)
    options: dict[str, Any] = {"kind": kind, "path": spec.particles}
    if spec.pixel_size_a is not None:
        options["pixel_size_a"] = spec.pixel_size_a
    section = validate(registry.get("reader", kind).spec, options)
    reader = registry.build(section, ReaderContext(needs_images=False))
    return spec.particles, reader.read()
