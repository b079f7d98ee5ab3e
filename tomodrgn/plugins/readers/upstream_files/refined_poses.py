"""Corrections of poses in the columns of a table, written and read again.

Angles and origins of an image and of a particle change alike: with the rotation A that its angles
state and corrections M and d, the angles become those of A M^T, and the origin grows by A M^T d. A
frame in which a particle was extracted stays before both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.geometry.rotations import euler_from_matrices, matrices_from_euler
from tomodrgn.plugins.readers.upstream_files import refined_columns as own

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.particles.corrections import Corrections
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.plugins.readers.upstream_files.refined_columns import ColumnChanges

    Columns = tuple[str, ...]

_LEAST_TURN: Final = np.deg2rad(own.LEAST)


@dataclass(frozen=True, kw_only=True)
class RefinedRows:
    """Corrections of the poses in some rows of a table.

    Attributes:
        path: the file, for errors.
        row: (n,) rows.
        rotation: (n, 3, 3) M.
        shift_a: (n, 3) d.
        contrast: (n,) factor of the signal.
    """

    path: Path
    row: NDArray[np.int64]
    rotation: NDArray[np.float64]
    shift_a: NDArray[np.float64]
    contrast: NDArray[np.float64]


def refined_rows(
    path: Path,
    row: NDArray[np.int64],
    particle: NDArray[np.int64],
    particles: ParticleSet,
    corrections: Corrections,
) -> RefinedRows:
    """The corrections of particles (n,) as those of rows (n,)."""
    return RefinedRows(
        path=path,
        row=row,
        rotation=corrections.rotation[particle],
        shift_a=corrections.shift_px[particle] * particles.pixel_size_a,
        contrast=np.exp(corrections.log_scale[particle]),
    )


def write_angles(
    changes: ColumnChanges, refined: RefinedRows, names: Sequence[str]
) -> NDArray[np.float64]:
    """Write Euler angles; (n, 3, 3) the rotations that they state now."""
    euler_deg = own.numbers_or(changes.table, names, refined.path, 0.0)[refined.row]
    rotation: NDArray[np.float64] = matrices_from_euler(euler_deg) @ refined.rotation.mT
    turned_deg = euler_from_matrices(rotation)
    is_turned = np.abs(refined.rotation - np.eye(3)).max(axis=(1, 2)) > _LEAST_TURN
    for axis, name in enumerate(names):
        changes.refine(name, refined.row[is_turned], turned_deg[is_turned, axis])
    return rotation


def write_lengths(
    changes: ColumnChanges,
    refined: RefinedRows,
    moved_a: NDArray[np.float64],
    units_a: Mapping[Columns, float],
) -> None:
    """Add to lengths along some axes.

    Args:
        changes: of the table.
        refined: n rows.
        moved_a: (n, axes) what to add, in angstrom.
        units_a: angstrom in one of what the columns count, by their names, one for each axis.
    """
    is_moved = (np.abs(moved_a) > own.LEAST).any(axis=1)
    for names, unit_a in units_a.items():
        lengths = own.numbers_or(changes.table, names, refined.path, 0.0)[refined.row]
        lengths += moved_a / unit_a
        for axis, name in enumerate(names):
            changes.refine(name, refined.row[is_moved], lengths[is_moved, axis])


def write_factors(
    changes: ColumnChanges, name: str, refined: RefinedRows, factor: NDArray[np.float64]
) -> None:
    """Multiply a column of our own by factors (n,) of the signal; nothing where all are 1."""
    if (np.abs(factor - 1) < own.LEAST).all():
        return
    before = own.numbers_or(changes.table, [name], refined.path, 1.0)[refined.row, 0]
    changes.put(name, refined.row, own.factor_texts(before * factor), default="1")


def present(
    changes: ColumnChanges, units_a: Mapping[Columns, float], new: Columns
) -> dict[Columns, float]:
    """The columns that the table has, else those that it gets."""
    found = {names: unit for names, unit in units_a.items() if names[0] in changes.block.columns}
    return found or {new: units_a[new]}
