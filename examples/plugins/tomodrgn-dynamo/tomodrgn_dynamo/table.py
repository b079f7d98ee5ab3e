"""Dynamo tables: columns, orientations and positions.

A table is a matrix of numbers without header, one row per particle. Pixels are those of the
tomogram. Columns are counted from 0 here and from 1 in Dynamo's documentation.

Source:
    Table convention of Dynamo, wiki.dynamo.biozentrum.unibas.ch/w/index.php/Table_convention
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.plugin import DataError, euler_from_matrices, matrices_from_euler

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

N_COLUMNS = 42
"""Columns of the tables that are written; those that are read may have fewer."""
TAG, ALIGNED, AVERAGED, TOMOGRAM, CLASS, PIXEL_SIZE = 0, 1, 2, 19, 21, 35
SHIFT = slice(3, 6)
EULER = slice(6, 9)
POSITION = slice(23, 26)
_MIN_COLUMNS = 26


def read_table(path: Path) -> NDArray[np.float64]:
    """(particles, columns) numbers, with zeros in columns that the file does not have.

    Raises:
        DataError: the file is no table of particles.
    """
    try:
        table = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a Dynamo table: {error}") from error
    n_rows, n_columns = table.shape
    if not n_rows or n_columns < _MIN_COLUMNS or not np.isfinite(table).all():
        raise DataError(
            f"{path}: holds {n_rows} rows of {n_columns} numbers; a Dynamo table has a row of "
            f"at least {_MIN_COLUMNS} finite numbers for each particle"
        )
    tags, counts = np.unique(table[:, TAG], return_counts=True)
    if counts.max() > 1:
        raise DataError(
            f"{path}: tag {tags[counts.argmax()]:g} is there {counts.max()} times; each particle "
            "needs a tag of its own"
        )
    missing = max(0, N_COLUMNS - n_columns)
    return np.pad(table, ((0, 0), (0, missing)))


def orientations(euler_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B, 3, 3) rotations of (B, 3) angles tdrot, tilt, narot, reference to tomogram.

    Dynamo turns a reference by the inverse of Rz(narot) Rx(tilt) Rz(tdrot). As a rotation about x
    is one about y between quarter turns about z, these are Rot, Tilt and Psi of RELION but for 90
    degrees.
    """
    tdrot, tilt, narot = euler_deg.T
    return matrices_from_euler(np.stack([narot - 90, tilt, tdrot + 90], axis=1))


def euler_angles(orientation: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B, 3) angles tdrot, tilt, narot within -180 and 180; inverse of :func:`orientations`."""
    rot, tilt, psi = euler_from_matrices(orientation).T
    angles = np.stack([psi - 90, tilt, rot + 90], axis=1)
    return (angles + 180) % 360 - 180
