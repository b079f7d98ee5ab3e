"""Refined poses in a volume series: written into its angles and lengths, and read again.

Where particles have origins, these lead from the place of extraction to the center; M states
centers alone, and several where it sampled poses over time, which turn and move alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.files.star_selection import RowSelection, selected, write_together
from tomodrgn.core.geometry.projections import particle_orientations
from tomodrgn.core.interfaces import WrittenPoses
from tomodrgn.core.particles.corrections import Corrections
from tomodrgn.plugins.readers.upstream_files import refined_columns as own
from tomodrgn.plugins.readers.upstream_files.refined_columns import ColumnChanges
from tomodrgn.plugins.readers.upstream_files.refined_poses import (
    refined_rows,
    write_angles,
    write_factors,
    write_lengths,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.plugins.readers.upstream_files.star_write import SelectableTable

    Places = tuple[NDArray[np.float64], NDArray[np.float64] | None]


@dataclass(frozen=True)
class PoseColumns:
    """Columns that state one pose of each particle.

    Attributes:
        angles: Euler angles.
        lengths: angstrom in one of what columns count, by the names of three columns.
        grows: 1 for lengths that are subtracted from places, such as origins, -1 for places.
    """

    angles: tuple[str, ...]
    lengths: Mapping[tuple[str, ...], float]
    grows: int

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.angles, *(name for names in self.lengths for name in names))


def write_poses(
    rows: SelectableTable,
    particles: ParticleSet,
    corrections: Corrections,
    out: Path,
    poses: Sequence[PoseColumns],
) -> WrittenPoses:
    """The series with other poses, as ``write_poses`` of a reader."""
    star, block = rows.lines.star, rows.lines.block
    names = [name for pose in poses for name in pose.names]
    changes = ColumnChanges(block, star.read(block, [*names, *own.own_columns(names)]))
    everyone = np.arange(particles.n_particles)
    refined = refined_rows(star.path, particles.source_particle, everyone, particles, corrections)
    for pose in poses:
        rotation = write_angles(changes, refined, pose.angles)
        moved_a = np.einsum("bij,bj->bi", rotation, refined.shift_a)
        write_lengths(changes, refined, pose.grows * moved_a, pose.lengths)
    write_factors(changes, own.CONTRAST, refined, refined.contrast)
    selection = RowSelection(
        table=rows.lines,
        keeps=np.ones(len(changes.table), dtype=bool),
        replaced=changes.replaced,
        appended=changes.appended,
    )
    parts = own.remarked(star, selected(star, [selection]))
    return WrittenPoses(write_together({out: parts}, [star.path]), changes.changed, ())


def read_corrections(
    table: pd.DataFrame,
    path: Path,
    names: Sequence[str],
    places: Callable[[pd.DataFrame], Places],
    pixel_size_a: float,
) -> Corrections | None:
    """By what poses differ from those stated first; None where the file was not refined.

    Args:
        table: the rows as text.
        path: the file, for errors.
        names: columns that may have been refined.
        places: gives centers (B, 3) in angstrom and Euler angles (B, 3), if any, of a table.
        pixel_size_a: of the particles.
    """
    if not own.was_refined(table, names):
        return None
    first = own.as_first_stated(table, names)
    (center_a, euler_deg), (first_a, first_deg) = places(table), places(first)
    nothing = np.zeros_like(center_a)
    orientation, before = (
        particle_orientations(nothing if angles is None else angles)
        for angles in (euler_deg, first_deg)
    )
    return Corrections(
        rotation=orientation.mT @ before,
        shift_px=np.einsum("bji,bj->bi", orientation, first_a - center_a) / pixel_size_a,
        log_scale=np.log(own.numbers_or(table, [own.CONTRAST], path, 1.0)[:, 0]),
        tilt_shift_px=np.empty((0, 2)),
        tilt_log_scale=np.empty(0),
    )
