"""Tilt images named ``N@stack``: where their stacks lie, whether they are whole, and their pixels.

A stack of one image may be named without a number. Rows are counted from 0 here and from 1 in
errors, as a user counts them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.mrc import read_mrc_header, read_mrc_slices
from tomodrgn.core.files.named_files import SearchOrder
from tomodrgn.core.files.opening import open_to_read
from tomodrgn.core.files.stack_choice import found_stacks
from tomodrgn.core.files.star import quote_value

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.files.mrc import MrcHeader

_HASHED_BYTES: Final = 1024
_NAMES_AT_ONCE: Final = 1 << 16
_LARGEST_NUMBER: Final = 1e15  # of an image; any stack is smaller


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStacks:
    """The stack and the place in it of each row.

    Attributes:
        paths: the distinct stacks that were found.
        headers: their headers.
        stack: (rows,) index into ``paths``.
        position: (rows,) place in the stack, from 0.
    """

    paths: tuple[Path, ...]
    headers: tuple[MrcHeader, ...]
    stack: NDArray[np.int64]
    position: NDArray[np.int64]

    @property
    def box_size_px(self) -> int:
        """Box edge shared by all stacks."""
        return self.headers[0].shape[-1]

    @property
    def place(self) -> NDArray[np.int64]:
        """(rows,) which image of all stacks, counted one after another, each row names."""
        n_images = [header.shape[0] for header in self.headers]
        before = np.cumsum([0, *n_images[:-1]], dtype=np.int64)
        return before[self.stack] + self.position

    def load(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, D, D) pixels of rows, read in file order and returned in the order asked for."""
        images = np.empty((len(rows), self.box_size_px, self.box_size_px), dtype=np.float32)
        order = np.lexsort((self.position[rows], self.stack[rows]))
        stacks, firsts = np.unique(self.stack[rows][order], return_index=True)
        for stack, places in zip(stacks, np.split(order, firsts[1:]), strict=True):
            positions = self.position[rows[places]]
            images[places] = read_mrc_slices(self.paths[stack], positions, self.headers[stack])
        return images


def locate_images(names: NDArray[np.object_], star: Path, datadir: Path | None) -> ImageStacks:
    """Find the stacks of image names, and check their headers.

    Each distinct stack is looked for once, in the order of
    :class:`~tomodrgn.core.files.named_files.SearchOrder`.

    Args:
        names: (rows,) image names ``N@stack`` with N from 1, or the name of a stack of one image.
        star: the file that they stand in.
        datadir: folder of the stacks, where the user names one.

    Raises:
        DataError: a name is malformed; a stack is missing, damaged, not square or
            unlike the others, or may be either of two; an image lies beyond its stack.
    """
    numbers, written, paths, is_bare = _split_names(names)
    well_formed = (numbers >= 1) & (numbers == np.floor(numbers))
    if not well_formed.all():
        row = int(np.argmin(well_formed))
        raise DataError(
            f"{star}: row {row + 1}: image name {quote_value(names[row])} is not N@stack with N "
            "from 1"
        )
    require_folder(star, datadir)
    found = found_stacks(paths, SearchOrder(star=star, datadir=datadir))
    distinct = {path: index for index, path in enumerate(dict.fromkeys(found))}
    stack = np.array([distinct[path] for path in found], dtype=np.int64)[written]
    headers = tuple(read_mrc_header(path) for path in distinct)
    stacks = ImageStacks(
        paths=tuple(distinct),
        headers=headers,
        stack=stack,
        position=np.minimum(numbers, _LARGEST_NUMBER).astype(np.int64) - 1,
    )
    _check_boxes(stacks)
    _check_positions(stacks, names, star)
    _check_single_images(stacks, is_bare, names, star)
    return stacks


def _split_names(
    names: NDArray[np.object_],
) -> tuple[NDArray[np.float64], NDArray[np.int64], list[str], NDArray[np.bool_]]:
    """Number and stack of each name, the stacks as written, and which names are those of stacks.

    The number is NaN where it is none, 1 where a stack is named without it.
    """
    numbers = np.empty(len(names), dtype=np.float64)
    stack = np.empty(len(names), dtype=np.int64)
    is_bare = np.zeros(len(names), dtype=np.bool_)
    known: dict[str, int] = {}
    for start in range(0, len(names), _NAMES_AT_ONCE):
        rows = slice(start, start + _NAMES_AT_ONCE)
        parts = pd.Series(names[rows], dtype=object).str.partition("@")
        is_bare[rows] = (parts[1] == "") & (parts[0] != "")
        if is_bare[rows].any():
            parts.loc[is_bare[rows], 2] = parts[0]
            parts.loc[is_bare[rows], 0] = "1"
        own, paths = pd.factorize(parts[2])
        stack[rows] = np.array([known.setdefault(str(path), len(known)) for path in paths])[own]
        numbers[rows] = pd.to_numeric(parts[0].where(parts[2] != ""), errors="coerce")
    return numbers, stack, list(known), is_bare


def describe_file(path: Path) -> dict[str, Any]:
    """Path, size, time and hash of the first bytes of a file, as JSON values."""
    with open_to_read(path) as file:
        stat = path.stat()
        head = file.read(_HASHED_BYTES)
    return {
        "path": str(path.absolute()),
        "size": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "head_sha256": hashlib.sha256(head).hexdigest(),
    }


def require_folder(star: Path, datadir: Path | None) -> None:
    """Refuse a folder of stacks that is none.

    Raises:
        DataError: the one that the user gave is not a folder.
    """
    if datadir is not None and not datadir.is_dir():
        what = "is not a folder" if datadir.exists() else "does not exist"
        raise DataError(f"--datadir {datadir}: {what}; give the folder of the stacks of {star}")


def _check_boxes(stacks: ImageStacks) -> None:
    """Refuse images that are not square, of an odd edge, or unlike those of the first stack."""
    _, y, x = stacks.headers[0].shape
    if y != x or x % 2:
        raise DataError(
            f"{stacks.paths[0]}: images are {y} x {x} pixels; boxes are square with an even edge, "
            f"extract the particles again"
        )
    for path, header in zip(stacks.paths, stacks.headers, strict=True):
        if header.shape[1:] != (y, x):
            raise DataError(
                f"{path}: images are {header.shape[1]} x {header.shape[2]} pixels, those of "
                f"{stacks.paths[0]} are {y} x {x}; all stacks need the same box"
            )


def _check_positions(stacks: ImageStacks, names: NDArray[np.object_], star: Path) -> None:
    """Refuse images beyond the end of their stack."""
    n_images = np.array([header.shape[0] for header in stacks.headers])
    beyond = np.flatnonzero(stacks.position >= n_images[stacks.stack])
    if len(beyond):
        path = stacks.paths[stacks.stack[beyond[0]]]
        raise DataError(
            f"{star}: row {beyond[0] + 1}: image {names[beyond[0]]} lies beyond the stack {path}, "
            f"which holds {n_images[stacks.stack[beyond[0]]]} images"
        )


def _check_single_images(
    stacks: ImageStacks, is_bare: NDArray[np.bool_], names: NDArray[np.object_], star: Path
) -> None:
    """Refuse a stack of several images that is named without the number of one."""
    n_images = np.array([header.shape[0] for header in stacks.headers])
    unclear = np.flatnonzero(is_bare & (n_images[stacks.stack] != 1))
    if len(unclear):
        row = unclear[0]
        raise DataError(
            f"{star}: row {row + 1}: image name {quote_value(names[row])} has no number, and its "
            f"stack holds {n_images[stacks.stack[row]]} images ({len(unclear)} such rows); name "
            f"images N@stack with N from 1"
        )
