"""Particles with a place in a tomogram, and values that belong to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.specs.faults import suggest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet

_TOMOGRAMS_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedParticles:
    """B particles in the order of the input.

    Attributes:
        source: the file that was read, for messages.
        tomogram: (B,) names.
        index: (B,) int64 rank among the particles of the input, ascending: the classic index.
        row: (B,) int64 rank among the particles that were read, of which these are some.
        n_input: particles of the input.
        n_read: particles that were read: fewer, where a run has left some out.
        position_a: (B, 3) centers x, y, z from the first voxel of the tomogram.
        orientation: (B, 3, 3) reference to tomogram coordinates; None where nothing is known.
    """

    source: str
    tomogram: NDArray[np.object_]
    index: NDArray[np.int64]
    row: NDArray[np.int64]
    n_input: int
    n_read: int
    position_a: NDArray[np.float64]
    orientation: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: NDArray[Any]) -> PlacedParticles:
        """The particles at some rows (n,), or of a mask (B,)."""
        orientation = None if self.orientation is None else self.orientation[rows]
        return replace(
            self,
            tomogram=self.tomogram[rows],
            index=self.index[rows],
            row=self.row[rows],
            position_a=self.position_a[rows],
            orientation=orientation,
        )


def placed_particles(particles: ParticleSet) -> PlacedParticles:
    """The particles of a set that says where they are.

    Raises:
        DataError: it does not.
    """
    source = str(particles.source)
    if particles.position_a is None:
        raise DataError(
            f"{source}: has no coordinates of particles in their tomograms; give the STAR file of "
            "the same particles with one row per particle (volume series), or the optimisation "
            "set; where coordinates are there and their pixel size is not, give it with "
            "--star-apix-override"
        )
    order = input_order(particles)
    orientation = particles.orientation
    return PlacedParticles(
        source=source,
        tomogram=particles.tomogram[order],
        index=particles.source_particle[order],
        row=np.arange(len(order), dtype=np.int64),
        n_input=particles.n_source_particles,
        n_read=len(order),
        position_a=particles.position_a[order],
        orientation=None if orientation is None else orientation[order],
    )


def input_order(particles: ParticleSet) -> NDArray[np.int64]:
    """(B,) rows of a set in the order of the input."""
    return np.argsort(particles.source_particle, kind="stable")


def values_of(
    values: NDArray[Any], particles: PlacedParticles, where: object, what: str = "values"
) -> NDArray[Any]:
    """The values (B, ...) of the particles, from a file with one for each.

    Args:
        values: one for each particle of the input, for each that was read, or for each that is
            left.
        particles: the particles.
        where: file that the values came from, for the error.
        what: what they are, likewise.

    Raises:
        DataError: there are as many values as none of these.
    """
    if len(values) == particles.n_input:
        return values[particles.index]
    if len(values) == particles.n_read:
        return values[particles.row]
    if len(values) == len(particles):
        return values
    raise DataError(
        f"{where}: has {len(values)} {what}; {particles.source} has {particles.n_input} particles, "
        f"and {len(particles)} are selected; give as many {what} as either"
    )


def rows_by_tomogram(particles: PlacedParticles, wanted: str = "all") -> dict[str, NDArray[Any]]:
    """Rows (n,) of the particles of each tomogram, in order of first appearance.

    Args:
        particles: the particles.
        wanted: the one tomogram wanted, exactly as it is named, or ``all``.

    Raises:
        DataError: there is no such tomogram.
    """
    names, first, found = np.unique(
        particles.tomogram.astype(str), return_index=True, return_inverse=True
    )
    by_name = np.argsort(found, kind="stable")
    parts = np.split(by_name, np.cumsum(np.bincount(found, minlength=len(names)))[:-1])
    rows = {str(names[i]): parts[i] for i in np.argsort(first).tolist()}
    if wanted == "all":
        return rows
    if wanted not in rows:
        shown = list(rows)[:_TOMOGRAMS_NAMED] + ["..."] * (len(rows) > _TOMOGRAMS_NAMED)
        raise DataError(
            f"{particles.source}: there is no tomogram {wanted!r}.{suggest(wanted, rows)} "
            f"Found: {', '.join(shown)}"
        )
    return {wanted: rows[wanted]}
