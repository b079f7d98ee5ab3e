"""Numbers of tilt images from the text of their rows: pose, shift, CTF.

The Euler angles are those of each image; :mod:`~.exposures` reads doses and tilts. A value that
cannot be is an error that names its row.

Source:
    Column meanings: Warp 1 (doi:10.1038/s41592-019-0580-y), M (doi:10.1038/s41592-020-01054-7).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.files.star import numeric_column
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.core.particles.tables import CtfTable, ImageTable
from tomodrgn.plugins.readers.upstream_files import warp_columns as columns
from tomodrgn.plugins.readers.upstream_files.angle_units import refuse_poses_in_radians
from tomodrgn.plugins.readers.upstream_files.bounds import (
    bounded_column,
    refuse_misread,
)
from tomodrgn.plugins.readers.upstream_files.fitted_ctf import (
    FittedCtf,
    check_fitted_ctf,
    check_phase_shifts,
    say_nanometers,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from tomodrgn.plugins.readers.image_series.exposures import Exposures

logger = logging.getLogger(__name__)

_ROWS_AT_ONCE: Final = 1 << 16
_ASSUMED_VOLTAGE_KV: Final = 300.0
_QUANTITIES: Final = {
    "defocus_u_a": "defocus_a",
    "defocus_v_a": "defocus_a",
    "defocus_angle_deg": "angle_deg",
}
"""Spans of the fields of ``CtfTable`` that are not named as they are."""


def image_table(
    table: pd.DataFrame,
    path: Path,
    *,
    exposures: Exposures,
    pixel_size_a: float,
    optics: NDArray[np.int64],
) -> ImageTable[NDArray[Any]]:
    """Every number of every row, in the order of the file.

    Args:
        table: rows as text.
        path: the file, for errors.
        exposures: doses and tilts of the rows.
        pixel_size_a: pixel size of the images, for shifts in angstrom.
        optics: (rows,) optics group of each row.

    Raises:
        DataError: a value cannot be.
    """
    angles = [bounded_column(table, name, path, "angle_deg") for name in columns.EULER_ANGLES]
    euler_deg = np.stack(angles, axis=-1)
    refuse_poses_in_radians(euler_deg, exposures.tilt_deg, path)
    ctf = _ctf_table(table, path)
    voltage_kv = np.full(len(table), _ASSUMED_VOLTAGE_KV, np.float32)
    return ImageTable(
        rotation=_rotations(euler_deg),
        shift_px=_shift_px(table, path, pixel_size_a),
        dose_e_per_a2=exposures.dose_e_per_a2,
        tilt_deg=exposures.tilt_deg,
        voltage_kv=voltage_kv if ctf is None else ctf.voltage_kv,
        optics=optics,
        ctf=ctf,
    )


def check_images(
    images: ImageTable[NDArray[Any]],
    path: Path,
    tomogram: NDArray[np.object_],
    is_used: NDArray[np.bool_],
) -> None:
    """Judge what only whole tomograms or files can tell of the contrast transfer.

    Args:
        images: every row, in the order of the file.
        path: the file, for errors.
        tomogram: (rows,) their tomograms.
        is_used: (rows,) whether they are no dark frames.

    Raises:
        DataError: the numbers of a tomogram, or most of the file, cannot be meant.
    """
    if images.ctf is None:
        return
    rows = np.flatnonzero(is_used)
    fit = FittedCtf(
        path=path,
        defocus_u_a=images.ctf.defocus_u_a[rows],
        defocus_v_a=images.ctf.defocus_v_a[rows],
        tomogram=tomogram[rows],
        row=rows + 1,
    )
    check_fitted_ctf(fit)
    check_phase_shifts(images.ctf.phase_shift_deg, path)
    say_nanometers(fit, images.ctf.phase_shift_deg)


def _rotations(euler_deg: NDArray[np.float64]) -> NDArray[np.float32]:
    """(rows, 3, 3), computed for some rows at a time."""
    rotation = np.empty((len(euler_deg), 3, 3), dtype=np.float32)
    for start in range(0, len(euler_deg), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        rotation[rows] = matrices_from_euler(euler_deg[rows])
    return rotation


def _ctf_table(table: pd.DataFrame, path: Path) -> CtfTable[NDArray[Any]] | None:
    """The contrast transfer parameters, or None and a warning where the file has none."""
    if columns.CTF["defocus_u_a"] not in table:
        logger.warning(
            "%s: has no columns of the contrast transfer function (%s); images are taken to be "
            "without one, recorded at %g kV",
            path, ", ".join(columns.CTF.values()), _ASSUMED_VOLTAGE_KV,
        )  # fmt: skip
        return None
    fields = {
        field: bounded_column(table, column, path, _QUANTITIES.get(field, field)).astype(np.float32)
        for field, column in columns.CTF.items()
        if column in table
    }
    no_plate = np.zeros(len(table), dtype=np.float32)
    return CtfTable(**{"phase_shift_deg": no_plate} | fields)


def _shift_px(table: pd.DataFrame, path: Path, pixel_size_a: float) -> NDArray[np.float32]:
    """(rows, 2) shifts in pixels; zero where the file has none."""
    for names, unit_a in ((columns.SHIFTS_PX, 1.0), (columns.SHIFTS_A, pixel_size_a)):
        if names[0] in table:
            shift = np.stack([numeric_column(table, name, path) for name in names], axis=-1)
            refuse_misread(shift, " and ".join(names), path)
            return (shift / unit_a).astype(np.float32)
    return np.zeros((len(table), 2), dtype=np.float32)
