"""Refined poses in an image series: written into the columns that state poses, and read again.

Every row has angles and an origin of its own, so that all corrections of poses have a place. Rows
of a refined particle that are not among its images, such as dark frames, turn and move along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.files.star_selection import RowSelection, selected, write_together
from tomodrgn.core.geometry.rotations import euler_from_matrices, matrices_from_euler
from tomodrgn.core.interfaces import WrittenPoses
from tomodrgn.core.particles.corrections import Corrections, corrections_between
from tomodrgn.plugins.readers.upstream_files import refined_columns as own
from tomodrgn.plugins.readers.upstream_files import warp_columns as columns
from tomodrgn.plugins.readers.upstream_files.optics_groups import GROUP
from tomodrgn.plugins.readers.upstream_files.refined_columns import ColumnChanges

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import pandas as pd
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ImageTable, ParticleSet
    from tomodrgn.plugins.readers.upstream_files.star_write import SelectableTable

POSES: Final = (*columns.EULER_ANGLES, *columns.SHIFTS_PX, *columns.SHIFTS_A)
OWN: Final = own.own_columns(POSES)
_LEAST_TURN: Final = 1e-9  # radian, below what six decimals of a degree tell apart


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
    table = star.read(block, [*POSES, *OWN])
    refined = _rows_of(rows.rows.particle, particles, corrections)
    changes = ColumnChanges(block, table)
    moved_a = _turn(changes, refined, star.path)
    _move(changes, refined, moved_a, pixel_size_a, star.path)
    _scale(changes, refined, star.path)
    keeps = np.ones(len(table), dtype=bool)
    selection = RowSelection(
        table=rows.lines, keeps=keeps, replaced=changes.replaced, appended=changes.appended
    )
    parts = own.remarked(star, selected(star, [selection]))
    files = write_together({out: parts}, [star.path])
    return WrittenPoses(files, changes.changed, ())


@dataclass(frozen=True, kw_only=True)
class _RefinedRows:
    """What changes in some rows of the file.

    Attributes:
        row: (n,) rows.
        rotation: (n, 3, 3) correction M of each.
        shift_a: (n, 3) correction d.
        contrast: (n,) factor.
        tilt_shift_a: (n, 2).
        tilt_contrast: (n,) factor.
    """

    row: NDArray[np.int64]
    rotation: NDArray[np.float64]
    shift_a: NDArray[np.float64]
    contrast: NDArray[np.float64]
    tilt_shift_a: NDArray[np.float64]
    tilt_contrast: NDArray[np.float64]


def _rows_of(
    rank: NDArray[np.int64], particles: ParticleSet, corrections: Corrections
) -> _RefinedRows:
    """Corrections of all rows whose particles have any.

    Args:
        rank: (rows,) ``source_particle`` of each row.
        particles: B particles.
        corrections: of them.
    """
    owner = np.full(int(rank.max()) + 1, -1)
    owner[particles.source_particle] = np.arange(particles.n_particles)
    image = np.full(len(rank), -1)
    image[particles.source_image] = np.arange(particles.n_images)
    row = np.flatnonzero(owner[rank] >= 0)
    particle, image = owner[rank[row]], image[row]
    is_shown = image >= 0
    tilt_shift_px = np.where(is_shown[:, None], corrections.tilt_shift_px[image], 0.0)
    tilt_log_scale = np.where(is_shown, corrections.tilt_log_scale[image], 0.0)
    return _RefinedRows(
        row=row,
        rotation=corrections.rotation[particle],
        shift_a=corrections.shift_px[particle] * particles.pixel_size_a,
        contrast=np.exp(corrections.log_scale[particle]),
        tilt_shift_a=tilt_shift_px * particles.pixel_size_a,
        tilt_contrast=np.exp(tilt_log_scale),
    )


def _turn(changes: ColumnChanges, refined: _RefinedRows, path: Path) -> NDArray[np.float64]:
    """Write the angles; (n, 2) by how much content moves in each image, in angstrom."""
    euler_deg = own.numbers_or(changes.table, columns.EULER_ANGLES, path, 0.0)[refined.row]
    rotation = matrices_from_euler(euler_deg) @ refined.rotation.mT
    turned_deg = euler_from_matrices(rotation)
    is_turned = np.abs(refined.rotation - np.eye(3)).max(axis=(1, 2)) > _LEAST_TURN
    for axis, name in enumerate(columns.EULER_ANGLES):
        changes.refine(name, refined.row[is_turned], turned_deg[is_turned, axis])
    moved_a: NDArray[np.float64] = np.einsum("mij,mj->mi", rotation[:, :2], refined.shift_a)
    return moved_a + refined.tilt_shift_a


def _move(
    changes: ColumnChanges,
    refined: _RefinedRows,
    moved_a: NDArray[np.float64],
    pixel_size_a: float,
    path: Path,
) -> None:
    """Write the origins, in pixels or angstrom as the file does, and shifts of tilts."""
    units = {columns.SHIFTS_PX: pixel_size_a, columns.SHIFTS_A: 1.0}
    found = [names for names in units if names[0] in changes.block.columns]
    in_groups = GROUP in changes.block.columns
    new = columns.SHIFTS_A if in_groups else columns.SHIFTS_PX
    is_moved = moved_a.any(axis=1)
    for names in found or [new]:
        origin = own.numbers_or(changes.table, names, path, 0.0)[refined.row]
        origin += moved_a / units[names]
        for axis, name in enumerate(names):
            changes.refine(name, refined.row[is_moved], origin[is_moved, axis])
    if refined.tilt_shift_a.any():
        before_a = own.numbers_or(changes.table, own.TILT_SHIFT_A, path, 0.0)[refined.row]
        for axis, name in enumerate(own.TILT_SHIFT_A):
            texts = own.number_texts(before_a[:, axis] + refined.tilt_shift_a[:, axis])
            changes.put(name, refined.row, texts, default="0")


def _scale(changes: ColumnChanges, refined: _RefinedRows, path: Path) -> None:
    """Write factors of the signal, which have no place in columns of other programs."""
    factors = {own.CONTRAST: refined.contrast, own.TILT_CONTRAST: refined.tilt_contrast}
    for name, factor in factors.items():
        if (factor != 1).any():
            before = own.numbers_or(changes.table, [name], path, 1.0)[refined.row, 0]
            changes.put(name, refined.row, own.factor_texts(before * factor), default="1")
