"""The tomograms of a set: their sizes, their hand, and the tilt images that they were made from."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import list_names
from tomodrgn.core.specs.faults import suggest
from tomodrgn.plugins.readers.optimisation_set.files import (
    FileFinder,
    frames_of_tomogram,
    tilts_of_tomogram,
    tomograms_table,
)
from tomodrgn.plugins.readers.optimisation_set.numbers import optional_column
from tomodrgn.plugins.readers.optimisation_set.tilt_frames import (
    TiltFrames,
    join_frames,
    parse_frames,
)
from tomodrgn.plugins.readers.upstream_files import set_columns as columns
from tomodrgn.plugins.readers.upstream_files.bounds import bounded_column, refuse_rows
from tomodrgn.plugins.readers.upstream_files.refined_columns import TILT_COLUMNS
from tomodrgn.plugins.readers.upstream_files.repeats import Repeats, find_repeats, repeat_error

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarFile

logger = logging.getLogger(__name__)

_WARP_ENDING: Final = ".tomostar"
_WARP_TILT_SERIES: Final = "dummy_tiltseries.mrc"
_LARGEST_SLOPE: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Tomograms:
    """T tomograms with F tilt images.

    Attributes:
        names: (T,) their names.
        is_warptools: whether WarpTools wrote the set, else RELION did.
        pixel_size_a: (T,) pixel size of the tilt series, NaN where it is not stated.
        size_a: (T, 3) size x, y, z, NaN where it is not stated.
        hand: (T,) ``rlnTomoHand``.
        dose_b_factor: (T,) A^2 per e/A^2 by which RELION weights images instead of the usual curve
            of the dose; 0 for the curve.
        defocus_slope: (T,) by which RELION scales heights.
        microscope: (T,) columns by field of ``CtfTable``, those that the file has.
        starts: (T + 1,) first tilt image of each tomogram, then F.
        frames: the tilt images.
        paths: the files that were read.
    """

    names: Sequence[str]
    is_warptools: bool
    pixel_size_a: NDArray[np.float64]
    size_a: NDArray[np.float64]
    hand: NDArray[np.float64]
    defocus_slope: NDArray[np.float64]
    dose_b_factor: NDArray[np.float64]
    microscope: dict[str, NDArray[np.float64]]
    starts: NDArray[np.int64]
    frames: TiltFrames
    paths: tuple[Path, ...]

    @property
    def has_dose_b_factors(self) -> bool:
        """Whether images of all tomograms are weighted by B-factors and not by the curve."""
        return bool((self.dose_b_factor > 0).all())


def read_tomograms(star: StarFile, names: Sequence[str]) -> Tomograms:
    """Some tomograms of a tomograms file, in the order asked for.

    Raises:
        DataError: a tomogram is missing or there twice, or its tilt images cannot be understood.
    """
    block = tomograms_table(star)
    table = star.read(block)
    table = table.iloc[_find_rows(table, names, star)].reset_index(drop=True)
    files = table.get(columns.TILT_SERIES_FILE, [None] * len(names))
    finder = FileFinder(star.path)
    read = [_read_frames(star, name, file, finder) for name, file in zip(names, files, strict=True)]
    finder.say_choices()
    owners, parts = zip(*read, strict=True)
    frames = join_frames(parts)

    _warn_of_refined_scales(frames, star.path)
    pixel_size_a = _pixel_sizes_a(table, star.path)
    size_px = [optional_column(table, name, star.path) for name in columns.TOMOGRAM_SIZE]
    return Tomograms(
        names=names,
        is_warptools=_is_warptools(table, frames),
        pixel_size_a=pixel_size_a,
        size_a=np.stack(size_px, axis=-1) * pixel_size_a[:, None],
        hand=_hand(table, star.path),
        defocus_slope=_defocus_slope(table, star.path),
        dose_b_factor=optional_column(table, columns.DOSE_BFACTOR, star.path, 0.0),
        microscope={
            field: bounded_column(table, name, star.path, field)
            for field, name in columns.MICROSCOPE.items()
            if name in table
        },
        starts=np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64),
        frames=frames,
        paths=tuple(dict.fromkeys((star.path, *owners))),
    )


def is_warp_name(tomogram: str) -> bool:
    """Whether WarpTools names tomograms this way."""
    return tomogram.endswith(_WARP_ENDING)


def _find_rows(table: pd.DataFrame, names: Sequence[str], star: StarFile) -> NDArray[np.int64]:
    """The row of each tomogram asked for."""
    known = table[columns.TOMOGRAM]
    refuse_repeats(known.to_numpy(dtype=object), names, star)
    row_of = dict(zip(known, range(len(known)), strict=True))
    refuse_missing(row_of, names, star)
    return np.array([row_of[name] for name in names], dtype=np.int64)


def refuse_missing(known: Collection[str], names: Sequence[str], star: StarFile) -> None:
    """Refuse a tomograms file that lacks tomograms of particles.

    Args:
        known: names of its tomograms.
        names: those that matter.
        star: the tomograms file.

    Raises:
        DataError: one that matters is missing.
    """
    missing = [name for name in names if name not in known]
    if not missing:
        return
    are = "tomograms" if len(missing) > 1 else "tomogram"
    raise DataError(
        f"{star.path}: {are} {list_names(missing)} {'are' if len(missing) > 1 else 'is'} missing, "
        f"which particles lie in ({len(missing)} of {len(names)} tomograms are)."
        f"{suggest(missing[0], known)} Give the tomograms file that belongs to the particles; "
        "where sets of two sessions were joined, join their tomograms files, too"
    )


def refuse_repeats(known: NDArray[np.object_], names: Sequence[str], star: StarFile) -> None:
    """Refuse rows of tomograms with the name of another; say whether they are copies.

    Args:
        known: (rows,) names of tomograms.
        names: those that matter.
        star: the tomograms file.

    Raises:
        DataError: one that matters is there twice.
    """
    repeats = find_repeats(known)
    is_wanted = np.isin(known[repeats.later], np.array(names, dtype=object))
    if not is_wanted.any():
        return
    block = tomograms_table(star)
    wanted = Repeats(repeats.later[is_wanted], repeats.earlier[is_wanted])
    for name in known[wanted.later]:
        tilts_of_tomogram(star, name)  # equal rows, and other tilt images, are no copies
    raise repeat_error(star, block, wanted, thing="tomogram", same=block.columns)


def _read_frames(
    star: StarFile, name: str, series_file: str | None, finder: FileFinder
) -> tuple[Path, TiltFrames]:
    """The tilt images of one tomogram, and the file they stand in."""
    owner, block = frames_of_tomogram(star, name, series_file, finder)
    known = (*columns.FRAME_COLUMNS, *TILT_COLUMNS)
    try:
        return owner.path, parse_frames(owner.read(block, known), owner.path)
    except DataError as error:
        raise DataError(f"tomogram {name}: {error}") from error


def _warn_of_refined_scales(frames: TiltFrames, path: Path) -> None:
    """Say where images were scaled by other numbers than the cosine of their tilt."""
    if frames.is_refined.any():
        logger.warning(
            "%s: %d of %d tilt images have scale factors (%s) that were refined and are no cosines "
            "of tilts; tilts are those of the stage, and images count as scaled by their cosines",
            path, frames.is_refined.sum(), len(frames), columns.TILT_COSINE,
        )  # fmt: skip


def _is_warptools(table: pd.DataFrame, frames: TiltFrames) -> bool:
    """Whether WarpTools wrote the tomograms.

    That is, as matrices, which RELION 5 does not write, and either without the translations that
    RELION 4 needs or with a name that only WarpTools gives.
    """
    if np.isnan(frames.translation_px).any():
        return False
    warp_names = table[columns.TOMOGRAM].map(is_warp_name).all()
    is_dummy = columns.TILT_SERIES in table and (table[columns.TILT_SERIES] == _WARP_TILT_SERIES)
    return bool(warp_names or np.all(is_dummy) or not frames.translation_px.any())


def _pixel_sizes_a(table: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    return optional_column(table, columns.SERIES_PIXEL_SIZE, path, quantity="pixel_size_a")


def _defocus_slope(table: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    slope = optional_column(table, columns.DEFOCUS_SLOPE, path, 1.0)
    is_bad = np.abs(slope) > _LARGEST_SLOPE
    refuse_rows(table, columns.DEFOCUS_SLOPE, path, is_bad, "no slope of the defocus, which is 1")
    return slope


def _hand(table: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    if columns.HAND not in table:
        logger.warning("%s: has no column %s; it is taken to be -1", path, columns.HAND)
    hand = optional_column(table, columns.HAND, path, -1.0)
    refuse_rows(table, columns.HAND, path, np.abs(hand) != 1, "neither 1 nor -1")
    return hand
