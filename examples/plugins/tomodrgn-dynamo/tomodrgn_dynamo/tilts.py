"""The tilt series behind the tomograms: a CSV file with one row per tilt image.

A table says nothing of tilt images, so this file does. Its columns are ``tomogram`` (the number in
column 20 of the table), ``tilt_deg``, ``axis_deg`` (direction of the tilt axis in the images, from
y), ``dose_e_per_a2`` (cumulative) and, unless there is no CTF, ``defocus_u_a``, ``defocus_v_a``,
``defocus_angle_deg``. The rows of a tomogram stand in the order of the images in its stacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tomodrgn.plugin import DataError, rotations_from_stage_angles

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NEEDED = ("tomogram", "tilt_deg", "axis_deg", "dose_e_per_a2")
DEFOCUS = ("defocus_u_a", "defocus_v_a", "defocus_angle_deg")


@dataclass(frozen=True)
class TiltSeries:
    """Tilt images of all tomograms, ascending in dose within each.

    Attributes:
        tomograms: their numbers, ascending.
        starts: first row of each tomogram, then the number of rows.
        frame: place of each image in the stacks of its tomogram, from 0.
        rotation: (rows, 3, 3) tomogram to image coordinates.
        columns: the numbers of the file, by column.
    """

    tomograms: NDArray[np.int64]
    starts: NDArray[np.int64]
    frame: NDArray[np.int64]
    rotation: NDArray[np.float64]
    columns: dict[str, NDArray[np.float64]]

    @property
    def has_ctf(self) -> bool:
        """Whether the defocus is known."""
        return DEFOCUS[0] in self.columns


def read_tilts(path: Path) -> TiltSeries:
    """The tilt series of a file.

    Raises:
        DataError: the file cannot be read, or lacks columns.
    """
    try:
        rows = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a table of tilt images: {error}") from error
    wanted = (*NEEDED, *(DEFOCUS if set(DEFOCUS) & set(rows) else ()))
    missing = [name for name in wanted if name not in rows]
    if missing:
        raise DataError(
            f"{path}: {', '.join(missing)} missing; the columns are {', '.join(wanted)}"
        )
    numbers = rows[list(wanted)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    if not len(numbers) or not np.isfinite(numbers).all():
        row = int(np.argmin(np.isfinite(numbers).all(axis=1))) if len(numbers) else 0
        raise DataError(f"{path}: row {row + 1} is missing, or holds what is no number")
    by_name = dict(zip(wanted, numbers.T, strict=True))
    frame = rows.groupby("tomogram").cumcount().to_numpy().astype(np.int64)
    order = np.lexsort([frame, by_name["dose_e_per_a2"], by_name["tomogram"]])
    columns = {name: column[order] for name, column in by_name.items()}
    tomograms, counts = np.unique(columns["tomogram"].astype(np.int64), return_counts=True)
    no_x_tilt = np.zeros(len(order))
    rotation = rotations_from_stage_angles(no_x_tilt, columns["tilt_deg"], columns["axis_deg"])
    return TiltSeries(
        tomograms=tomograms,
        starts=np.concatenate([[0], np.cumsum(counts)]),
        frame=frame[order],
        rotation=rotation,
        columns=columns,
    )
