"""What the program that an image series comes from has done to its images, and may have done.

Warp 1, M and nextPYP write images as they are. RELION and WarpTools may multiply them by their CTF,
and converters of their files drop the column that says so. RELION weights for dose what it
multiplies and makes other particles bright; WarpTools weights all images. The simulator of RECOVAR
writes what it recorded, with doses before the exposure of 0.

Source:
    RELION 5, WarpTools 2 and RECOVAR 1.0.5 as they write files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tomodrgn.core.particles.tables import ImageState
from tomodrgn.plugins.readers.image_series.row_codes import column_numbers
from tomodrgn.plugins.readers.upstream_files import warp_columns as columns
from tomodrgn.plugins.readers.upstream_files.scale_factors import are_refined

if TYPE_CHECKING:
    import pandas as pd

_OF_WARPTOOLS: Final = ".tomostar"


class OriginState(NamedTuple):
    """State of images, and the one that they have if they are CTF-premultiplied, where unknown."""

    state: ImageState
    premultiplied_state: ImageState | None = None


def state_by_origin(table: pd.DataFrame, *, inverted: bool) -> OriginState:
    """The state of images of a series by the columns that its program fills.

    Args:
        table: the rows, with the columns of their optics groups.
        inverted: whether Warp 1, M or nextPYP, of which the columns may be, inverts contrast.
    """
    if {columns.PRE_EXPOSURE, *columns.STAGE_TILTS}.isdisjoint(table.columns):
        return OriginState(ImageState(inverted=inverted))
    is_warptools = columns.TOMOGRAM in table and bool(
        table[columns.TOMOGRAM].iloc[:1].str.contains(_OF_WARPTOOLS, regex=False).all()
    )
    is_scaled = _has_cosines(table)
    other = ImageState(
        ctf_premultiplied=None,
        dose_weighted=is_warptools,
        tilt_weighted=is_warptools and is_scaled,
        inverted=not is_warptools and not _is_simulated(table),
    )
    premultiplied = ImageState(ctf_premultiplied=True, dose_weighted=True, tilt_weighted=is_scaled)
    return OriginState(other, premultiplied)


def _has_cosines(table: pd.DataFrame) -> bool:
    """Whether scale factors, by which images are multiplied with their CTF, are those of tilts."""
    if columns.TILT_COSINE not in table:
        return False
    scale = column_numbers(table, columns.TILT_COSINE)
    return not are_refined(scale)


def _is_simulated(table: pd.DataFrame) -> bool:
    """Whether doses before the exposure are there beside B-factors, and all 0."""
    if not set(columns.DOSES) <= set(table.columns):
        return False
    doses = (column_numbers(table, name) for name in columns.DOSES)
    b_factor, before = (bool(each.any()) for each in doses)
    return b_factor and not before
