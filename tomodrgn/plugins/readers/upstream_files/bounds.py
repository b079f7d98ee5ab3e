"""Columns whose numbers lie where such numbers can lie; others are errors that name row and unit.

The spans are those of :data:`tomodrgn.core.physics.spans.SPANS`. What only a whole column can tell
is judged by :mod:`~.fitted_ctf` and :func:`check_shifts`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import numeric_column, quote_value
from tomodrgn.core.physics.spans import SPANS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_SMALLEST_MEANT: Final = 1e-20
"""Numbers below it are no result of rounding (1e-16 of a value) and no measurement."""
_SAME_PIXEL_SIZE: Final = 1e-4  # relative; files state five digits
MOST_OFF: Final = 0.005
"""Part by which pixel sizes of one set may differ from their mean, whatever the box."""
_MOST_OFF_PX: Final = 0.25  # Fourier pixels; a phase error of pi/4 at the edge of the box at most
_MANY: Final = 0.01  # of the images, moved out of their boxes
_NAMES_SHOWN: Final = 5


def bounded_column(
    table: pd.DataFrame, column: str, path: Path, quantity: str
) -> NDArray[np.float64]:
    """(rows,) finite numbers of a column, all of them within the span of their quantity.

    Args:
        table: rows as text or numbers.
        column: the column.
        path: the file they came from, for errors.
        quantity: key of ``SPANS``, in the unit of the column.

    Raises:
        DataError: a number cannot be; the first one is named with its row and its likely unit.
    """
    numbers = numeric_column(table, column, path)
    refuse_misread(numbers, column, path)
    span = SPANS[quantity]
    is_bad = span.excludes(numbers)
    if is_bad.any():
        refuse_rows(table, column, path, is_bad, span.fault(float(numbers[np.argmax(is_bad)])))
    return numbers


def refuse_rows(
    table: pd.DataFrame, column: str, path: Path, is_bad: NDArray[np.bool_], fault: str
) -> None:
    """Raise for the first bad row of (n,)."""
    if is_bad.any():
        row = int(np.argmax(is_bad))
        value = quote_value(table[column].iloc[row]).strip("'")
        raise DataError(
            f"{path}: column {column}, row {row + 1}: {value} is {fault} ({is_bad.sum()} such rows)"
        )


def refuse_misread(numbers: NDArray[np.float64], column: str, path: Path) -> None:
    """Refuse (rows, ...) numbers so small that they are other bytes, taken for floats.

    Raises:
        DataError: all are below 1e-20 and some are not 0.
    """
    size = np.abs(numbers).reshape(len(numbers), -1).max(axis=1, initial=0.0)
    largest = float(size.max(initial=0.0))
    if 0 < largest < _SMALLEST_MEANT:
        row = int(np.argmax(size > 0))
        raise DataError(
            f"{path}: column {column}, row {row + 1}: {size[row]:g}, and no row holds more than "
            f"{largest:g}; such numbers are other bytes that a program took for a float, and the "
            "true values are lost: export the file again, or write 0 where all are 0"
        )


def the_one_pixel_size_a(
    sizes_a: NDArray[np.float64],
    path: Path,
    owners: Sequence[str] | None = None,
    *,
    weights: NDArray[np.int64] | None = None,
    box_size_px: Callable[[], int | None] = lambda: 0,
) -> float:
    """The pixel size on which all rows agree, or their mean where their difference is nothing.

    Images whose pixel size is off by a part d put the frequencies at the edge of a box of D pixels
    d D/2 Fourier pixels beside their place. Up to a quarter of one, and 0.5 %, that is nothing.

    Args:
        sizes_a: (rows,) pixel sizes.
        path: the file, for errors and the log.
        owners: (rows,) names of what they belong to, such as tomograms.
        weights: (rows,) images of each row, for the mean.
        box_size_px: tells the edge of the images, asked where sizes differ a little: 0 where it is
            unknown, None where only metadata are read.

    Raises:
        DataError: they do not, or it cannot be.
    """
    is_bad = SPANS["pixel_size_a"].excludes(sizes_a)
    if is_bad.any():
        row = int(np.argmax(is_bad))
        raise DataError(
            f"{path}: the pixel size of row {row + 1}, {sizes_a[row]:g} A/px, is "
            f"{SPANS['pixel_size_a'].fault(float(sizes_a[row]))}; --Apix replaces it"
        )
    if np.ptp(sizes_a) <= _SAME_PIXEL_SIZE * sizes_a.max():
        return float(sizes_a[0])
    mean_a = float(np.average(sizes_a, weights=weights))
    off = float(np.abs(sizes_a / mean_a - 1).max())
    box_px = box_size_px() if off <= MOST_OFF else 0
    off_px = off * (box_px or 0) / 2  # Fourier pixels at the edge of the box
    span = f"pixel sizes are {sizes_a.min():g} to {sizes_a.max():g} A/px"
    if off > MOST_OFF or box_px == 0 or off_px > _MOST_OFF_PX:
        effect = f", {off_px:.2g} Fourier pixels at the edge of the box" if off_px else ""
        raise DataError(
            f"{path}: {span} ({_by_size(sizes_a, owners)}){effect}; images of one set need one: "
            "extract them again with the same, or split the file; --Apix gives one to all"
        )
    logger.info(
        "%s: %s; their mean, %.6g A/px, is taken for all, which is off by %.2g Fourier pixels "
        "at most",
        path, span, mean_a, off_px,
    )  # fmt: skip
    return mean_a


def refuse_conflict(
    first_a: NDArray[np.float64], second_a: NDArray[np.float64], names: tuple[str, str], path: Path
) -> None:
    """Refuse two columns (n,) that state pixel sizes of the same images more than 1 % apart.

    Raises:
        DataError: they do in some row; it names both.
    """
    is_apart = np.abs(first_a - second_a) > 0.01 * np.abs(second_a)
    if is_apart.any():
        row = int(np.argmax(is_apart))
        raise DataError(
            f"{path}: row {row + 1}: {names[0]} says {first_a[row]:g} A/px, {names[1]} says "
            f"{second_a[row]:g} A/px ({is_apart.sum()} such rows); find out which is the pixel "
            "size of the images and give it with --Apix"
        )


def check_shifts(
    shift_px: NDArray[np.floating],
    box_size_px: int,
    path: Path,
    names: Sequence[object] | NDArray[np.object_],
) -> None:
    """Refuse shifts that move images out of their boxes; a few are only said.

    Args:
        shift_px: (M, 2 or 3) shifts in pixels.
        box_size_px: edge of the images, 0 where it is unknown.
        path: the file, for errors.
        names: (M,) names of what is shifted.

    Raises:
        DataError: more than 1 % of them do.
    """
    is_far = (np.abs(shift_px) > box_size_px).any(axis=1)
    if not box_size_px or not is_far.any():
        return
    first = int(np.argmax(is_far))
    said = (
        f"{is_far.sum()} of {len(is_far)} shifts are larger than the box of {box_size_px} px "
        f"({names[first]}: {np.abs(shift_px[first]).max():.4g} px)"
    )
    if is_far.mean() > _MANY:
        raise DataError(
            f"{path}: {said}; rlnOriginX and rlnOriginY are in pixels of the images, "
            "rlnOriginXAngst and rlnOriginYAngst in A: find out whether the shifts are in the "
            "other unit, or in pixels of another size, and scale or rename the columns"
        )
    logger.warning(
        "%s: %s; nothing is left of these images in their boxes; remove them", path, said
    )


def _by_size(sizes_a: NDArray[np.float64], owners: Sequence[str] | None) -> str:
    """Which rows or owners have which size, the first ones of each."""
    parts = []
    digits = np.round(sizes_a, 5)
    for size in np.unique(digits)[:_NAMES_SHOWN]:
        rows = np.flatnonzero(digits == size)
        names = [f"row {rows[0] + 1}"]
        if owners is not None:
            names = list(dict.fromkeys(owners[row] for row in rows.tolist()))
        more = ", ..." if len(names) > _NAMES_SHOWN else ""
        parts.append(f"{size:g}: {', '.join(names[:_NAMES_SHOWN])}{more}, {len(rows)} rows")
    return "; ".join(parts)
