"""The pixel size of the images of a file, from its detector or from columns that state it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import numeric_column
from tomodrgn.plugins.readers.upstream_files import warp_columns as columns
from tomodrgn.plugins.readers.upstream_files.bounds import (
    refuse_conflict,
    refuse_rows,
    the_one_pixel_size_a,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray


def image_pixel_size_a(
    table: pd.DataFrame, path: Path, box_size_px: Callable[[], int | None] = lambda: 0
) -> float:
    """The one pixel size of all rows, from the detector or from a column that states it.

    Args:
        table: the rows.
        path: the file, for errors and the log.
        box_size_px: as for :func:`~.bounds.the_one_pixel_size_a`.

    Raises:
        DataError: no column states it, or rows differ.
    """
    owners = table[columns.TOMOGRAM].tolist() if columns.TOMOGRAM in table else None
    stated = [name for name in columns.PIXEL_SIZES if name in table]
    if columns.DETECTOR_PIXEL_SIZE not in table:
        if not stated:
            allowed = ", ".join((columns.DETECTOR_PIXEL_SIZE, *columns.PIXEL_SIZES))
            raise DataError(f"{path}: states no pixel size ({allowed}); give it with --Apix")
        sizes_a = numeric_column(table, stated[0], path)
        return the_one_pixel_size_a(sizes_a, path, owners, box_size_px=box_size_px)
    sizes_a = detector_pixel_sizes_a(table, path)
    if columns.PIXEL_SIZES[0] in table:
        names = (columns.DETECTOR_PIXEL_SIZE, columns.PIXEL_SIZES[0])
        refuse_conflict(sizes_a, numeric_column(table, names[1], path), names, path)
    return the_one_pixel_size_a(sizes_a, path, owners, box_size_px=box_size_px)


def detector_pixel_sizes_a(table: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    """(rows,) pixel size of the detector; over the magnification, where that is there."""
    sizes_a = numeric_column(table, columns.DETECTOR_PIXEL_SIZE, path)
    if columns.MAGNIFICATION not in table:
        return sizes_a
    magnification = numeric_column(table, columns.MAGNIFICATION, path)
    refuse_rows(table, columns.MAGNIFICATION, path, magnification <= 0, "not positive")
    with np.errstate(over="ignore"):  # what overflows is refused with the size
        return 1e4 * sizes_a / magnification
