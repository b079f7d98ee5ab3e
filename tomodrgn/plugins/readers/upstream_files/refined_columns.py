"""Columns of our own in refined files: the poses stated first, and what fits nowhere else.

A file with refined poses keeps each pose that was stated first under the name of its column with
``tdgnStated`` before it, as text, so that refining again does not forget it. Contrast, and shifts
and contrast of tilts, are factors of the signal and angstrom that move the content of an image.
Other programs carry columns that they do not know along, or leave them out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.files.star import numeric_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence, Sized
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarBlock, StarFile

TILT_SHIFT_A: Final = ("tdgnTiltShiftXAngst", "tdgnTiltShiftYAngst")
"""By how much content moves beside what the pose says, the same in all images of an exposure."""
CONTRAST: Final = "tdgnContrast"
"""Factor of the signal of a particle."""
TILT_CONTRAST: Final = "tdgnTiltContrast"
"""Factor of the signal of an exposure."""
TILT_COLUMNS: Final = (*TILT_SHIFT_A, TILT_CONTRAST)
REFINED_IMAGES: Final = "tdgnImageName"
"""Images to which shifts of tilts apply; images that were extracted later have them already."""

REMARK: Final = (
    b"# poses were refined by tomodrgn; those stated first are in columns named tdgnStated...\n"
)
_STATED: Final = "tdgnStated"
_RELION: Final = "rln"
_OWN: Final = "tdgn"
_DIGITS: Final = 6
LEAST: Final = 0.5 * 10**-_DIGITS
"""What is less cannot be told from nothing in a file: degrees, angstrom, part of the signal."""
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def stated(column: str) -> str:
    """The column that keeps what another one stated first."""
    name = column.removeprefix(_RELION)  # those of M keep their prefix, as units differ
    return _STATED + name[:1].upper() + name[1:]


def was_refined(table: pd.DataFrame, names: Iterable[str]) -> bool:
    """Whether the table keeps what any of the columns stated first."""
    return any(stated(name) in table for name in names)


def as_first_stated(table: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """The table with what columns stated first in their place, as far as it keeps that."""
    return table.assign(**{name: table[stated(name)] for name in names if stated(name) in table})


def own_columns(names: Iterable[str]) -> tuple[str, ...]:
    """Columns of our own in a table in which the columns given may have been refined."""
    kept = (stated(name) for name in names)
    return (*kept, CONTRAST, *TILT_COLUMNS)


def numbers_or(
    table: pd.DataFrame, names: Sequence[str], path: Path, default: float
) -> NDArray[np.float64]:
    """(rows, n) columns of numbers side by side; a default where the table has none."""
    return np.stack(
        [
            numeric_column(table, name, path) if name in table else np.full(len(table), default)
            for name in names
        ],
        axis=-1,
    )


def number_texts(values: NDArray[np.floating]) -> NDArray[np.object_]:
    """(n,) angles in degrees or lengths as a file states them."""
    return np.array([f"{value:.{_DIGITS}f}" for value in values.tolist()], dtype=object)


def factor_texts(values: NDArray[np.floating]) -> NDArray[np.object_]:
    """(n,) factors as a file states them."""
    return np.array([f"{value:.{_DIGITS + 1}g}" for value in values.tolist()], dtype=object)


def remarked(star: StarFile, parts: Iterable[bytes]) -> Iterator[bytes]:
    """A file with the remark that its poses were refined, once."""
    is_plain = not star.content.startswith(_BYTE_ORDER_MARK)
    if REMARK.rstrip() not in star.content and is_plain:
        yield REMARK
    yield from parts


@dataclass
class ColumnChanges:
    """Other texts in the columns of one table, and new columns, gathered one after another.

    Attributes:
        block: the table.
        table: its columns as text, as far as they are known.
        replaced: text by row, by column.
        appended: text of (rows,) values by name of a new column.
    """

    block: StarBlock
    table: pd.DataFrame
    replaced: dict[str, dict[int, str]] = field(default_factory=dict)
    appended: dict[str, NDArray[np.object_]] = field(default_factory=dict)

    def refine(self, column: str, rows: NDArray[np.int64], values: NDArray[np.floating]) -> None:
        """Numbers (n,) in some rows (n,), and what was there first in a column of our own."""
        self.keep(column)
        self.put(column, rows, number_texts(values), default="0")

    def keep(self, column: str) -> None:
        """Remember what a column states in one of our own, if that is not there yet."""
        if stated(column) not in self.block.columns:
            has_column = column in self.block.columns
            before = self.table[column] if has_column else np.full(len(self.table), "0")
            self.appended[stated(column)] = np.asarray(before, dtype=object)

    def put(
        self, column: str, rows: NDArray[np.int64], texts: NDArray[np.object_], *, default: str
    ) -> None:
        """Texts (n,) in some rows (n,); in the others a default, where the column is new."""
        if column in self.block.columns:
            replaced = self.replaced.setdefault(column, {})
            replaced.update(zip(rows.tolist(), texts.tolist(), strict=True))
            return
        everywhere = self.appended.setdefault(column, np.full(len(self.table), default, object))
        everywhere[rows] = texts

    @property
    def changed(self) -> tuple[str, ...]:
        """Columns of other programs that state something else now."""
        texts: dict[str, Sized] = {**self.replaced, **self.appended}
        return tuple(name for name in texts if len(texts[name]) and not name.startswith(_OWN))
