"""Refined poses in a set: written into angles and origins of particles, and read again.

Coordinates stay, as images were extracted around them; the origin leads from there to the refined
centre. Shifts of tilts go to the tilt series, where they belong once particles are extracted again.
Until then images show them, so they also stand in columns of our own, with the images that they
apply to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.interfaces import WrittenPoses
from tomodrgn.plugins.readers.optimisation_set.refined_particles import OWN, PLACES, POSES
from tomodrgn.plugins.readers.optimisation_set.refined_tilts import RefinedTilts
from tomodrgn.plugins.readers.upstream_files import refined_columns as own
from tomodrgn.plugins.readers.upstream_files import set_columns as columns
from tomodrgn.plugins.readers.upstream_files.refined_columns import ColumnChanges
from tomodrgn.plugins.readers.upstream_files.refined_poses import (
    present,
    refined_rows,
    write_angles,
    write_factors,
    write_lengths,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.particles.corrections import Corrections
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.plugins.readers.optimisation_set.write import SelectableSet


def write_poses(
    selectable: SelectableSet,
    particles: ParticleSet,
    corrections: Corrections,
    out: Path,
    *,
    pixel_size_a: float,
) -> WrittenPoses:
    """The set with other poses, as ``write_poses`` of a reader.

    Args:
        selectable: the files of the set.
        particles: those that were refined.
        corrections: of them.
        out: the set to write.
        pixel_size_a: in which origins in pixels count.
    """
    star, block = selectable.lines.star, selectable.lines.block
    table = star.read(block, [*POSES, *PLACES, *OWN, columns.STACK, columns.TOMOGRAM])
    changes = ColumnChanges(block, table)
    everyone = np.arange(particles.n_particles)
    rows = particles.source_particle
    refined = refined_rows(star.path, rows, everyone, particles, corrections)
    rotation = write_angles(changes, refined, columns.EULER_ANGLES)
    moved_a = np.einsum("bij,bj->bi", rotation, refined.shift_a)
    units_a: dict[tuple[str, ...], float] = {columns.ORIGIN_A: 1.0, columns.ORIGIN_PX: pixel_size_a}
    write_lengths(changes, refined, moved_a, present(changes, units_a, columns.ORIGIN_A))
    write_factors(changes, own.CONTRAST, refined, refined.contrast)
    for name in PLACES:
        if name in table:
            changes.keep(name)
    tilts = RefinedTilts(selectable, particles, corrections, changes)
    changed = tilts.changed()
    files = selectable.write_changed(out, changes, changed)
    of_tilts = dict.fromkeys(name for tilt in changed.values() for name in tilt.changes.changed)
    return WrittenPoses(files, (*changes.changed, *of_tilts), tuple(dict.fromkeys(tilts.faults)))
