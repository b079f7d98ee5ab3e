"""Refined poses in an image series: written into the columns that state poses, and read again.

Every row has angles and an origin of its own, so that all corrections of poses have a place. Rows
of a refined particle that are not among its images, such as dark frames, turn and move along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.files.star_selection import RowSelection, selected, write_together
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.core.interfaces import WrittenPoses
from tomodrgn.core.particles.corrections import Corrections, corrections_between
from tomodrgn.plugins.readers.upstream_files import refined_columns as own
from tomodrgn.plugins.readers.upstream_files import warp_columns as columns
from tomodrgn.plugins.readers.upstream_files.optics_groups import GROUP
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
    from typing import Any

    import pandas as pd
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ImageTable, ParticleSet
    from tomodrgn.plugins.readers.upstream_files.refined_poses import RefinedRows
    from tomodrgn.plugins.readers.upstream_files.star_write import SelectableTable

POSES: Final = (*columns.EULER_ANGLES, *columns.SHIFTS_PX, *columns.SHIFTS_A)
OWN: Final = own.own_columns(POSES)


def fitted_scale(table: pd.DataFrame, path: Path) -> NDArray[np.float32] | None:
    """(rows,) factor of the signal of each row; None where the file has no such columns."""
    if {own.CONTRAST, own.TILT_CONTRAST}.isdisjoint(table):
        return None
    factors = own.numbers_or(table, (own.CONTRAST, own.TILT_CONTRAST), path, 1.0)
    scale: NDArray[np.float32] = factors.prod(axis=1).astype(np.float32)
    return scale


def read_corrections(
    table: pd.DataFrame,
    images: ImageTable[NDArray[Any]],
    pixel_size_a: float,
    *,
    path: Path,
    rows: NDArray[np.int64],
    starts: NDArray[np.int64],
) -> Corrections | None:
    """By what refined poses differ from those stated first; None where the file was not refined.

    Args:
        table: columns of our own, of all rows.
        images: the M images that are kept, as the file has them now.
        pixel_size_a: of the images.
        path: the file, for errors.
        rows: (M,) their rows.
        starts: (B,) first image of each particle, which has one or more.

    Raises:
        DataError: a value is not a finite number.
    """
    if set(OWN).isdisjoint(table):
        return None
    table = table.loc[:, [name for name in OWN if name in table]].iloc[rows]
    rotation, shift_px = images.rotation, images.shift_px
    kept = [own.stated(name) for name in columns.EULER_ANGLES]
    if set(kept) <= set(table):
        rotation = matrices_from_euler(own.numbers_or(table, kept, path, 0.0))
    for names, unit_a in ((columns.SHIFTS_PX, 1.0), (columns.SHIFTS_A, pixel_size_a)):
        kept = [own.stated(name) for name in names]
        if set(kept) <= set(table):
            shift_px = own.numbers_or(table, kept, path, 0.0) / unit_a
            break
    tilt_shift_px = own.numbers_or(table, own.TILT_SHIFT_A, path, 0.0) / pixel_size_a
    scale = own.numbers_or(table, (own.CONTRAST, own.TILT_CONTRAST), path, 1.0)
    moved_px = images.shift_px - shift_px - tilt_shift_px
    turned, moved = corrections_between(rotation, images.rotation, moved_px, starts)
    return Corrections(
        rotation=turned,
        shift_px=moved,
        log_scale=np.log(scale[starts, 0]),
        tilt_shift_px=tilt_shift_px,
        tilt_log_scale=np.log(scale[:, 1]),
    )


def write_poses(
    rows: SelectableTable,
    particles: ParticleSet,
    corrections: Corrections,
    out: Path,
    *,
    pixel_size_a: float,
) -> WrittenPoses:
    """The series with other poses, as ``write_poses`` of a reader.

    Args:
        rows: the rows of the file.
        particles: those that were refined.
        corrections: of them.
        out: the file to write.
        pixel_size_a: in which the file counts.
    """
    star, block = rows.lines.star, rows.lines.block
    changes = ColumnChanges(block, star.read(block, [*POSES, *OWN]))
    row, particle, image = _rows_of(rows.rows.particle, particles)
    refined = refined_rows(star.path, row, particle, particles, corrections)
    is_shown = image >= 0
    tilt_shift_a = corrections.tilt_shift_px[image] * particles.pixel_size_a * is_shown[:, None]
    rotation = write_angles(changes, refined, columns.EULER_ANGLES)
    moved_a = np.einsum("mij,mj->mi", rotation[:, :2], refined.shift_a) + tilt_shift_a
    new = columns.SHIFTS_A if GROUP in block.columns else columns.SHIFTS_PX
    units_a: dict[tuple[str, ...], float] = {columns.SHIFTS_PX: pixel_size_a, columns.SHIFTS_A: 1.0}
    write_lengths(changes, refined, moved_a, present(changes, units_a, new))
    _write_tilts(changes, refined, tilt_shift_a)
    write_factors(changes, own.CONTRAST, refined, refined.contrast)
    tilt_factor = np.exp(np.where(is_shown, corrections.tilt_log_scale[image], 0.0))
    write_factors(changes, own.TILT_CONTRAST, refined, tilt_factor)
    selection = RowSelection(
        table=rows.lines,
        keeps=np.ones(len(changes.table), dtype=bool),
        replaced=changes.replaced,
        appended=changes.appended,
    )
    parts = own.remarked(star, selected(star, [selection]))
    return WrittenPoses(write_together({out: parts}, [star.path]), changes.changed, ())


def _rows_of(
    rank: NDArray[np.int64], particles: ParticleSet
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(n,) rows of particles of a set, with the particle and the image of each, or -1 for none.

    Args:
        rank: (rows,) ``source_particle`` of each row of the file.
        particles: the set.
    """
    owner, image = np.full(int(rank.max()) + 1, -1), np.full(len(rank), -1)
    owner[particles.source_particle] = np.arange(particles.n_particles)
    image[particles.source_image] = np.arange(particles.n_images)
    row = np.flatnonzero(owner[rank] >= 0)
    return row, owner[rank[row]], image[row]


def _write_tilts(
    changes: ColumnChanges, refined: RefinedRows, shift_a: NDArray[np.float64]
) -> None:
    """Write shifts of tilts (n, 2), which are part of the origins too, to know them apart."""
    if (np.abs(shift_a) < own.LEAST).all():
        return
    before_a = own.numbers_or(changes.table, own.TILT_SHIFT_A, refined.path, 0.0)[refined.row]
    for axis, name in enumerate(own.TILT_SHIFT_A):
        texts = own.number_texts(before_a[:, axis] + shift_a[:, axis])
        changes.put(name, refined.row, texts, default="0")
