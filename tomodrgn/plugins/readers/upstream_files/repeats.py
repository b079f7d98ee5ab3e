"""What it means that two rows say they are one thing: a copy, a symmetry mate, or two things.

Rows that agree in every column are copies. One image (or one place) with other angles is what
symmetry expansion writes. Other images of one name are two things, as where two sessions of equal
names were joined. Each asks for something else, and none for throwing images away.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import list_names, quote_value, read_star
from tomodrgn.core.files.star_rows import split_row
from tomodrgn.core.files.star_selection import TableLines

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarBlock, StarFile

RepeatKind = Literal["copy", "symmetry", "again", "namesakes"]

_ANGLES: Final = ("rlnAngle", "wrpAngle", "rlnTomoSubtomogram")
_TELL_APART: Final = {
    "name": "rename those of one, such as the tomograms of one session",
    "stack": "write the whole paths of the stacks, which differ between sessions",
}
_MOST_COMPARED: Final = 10_000
_MOST_SHOWN: Final = 3


class Repeats(NamedTuple):
    """(n,) rows, from 0, that say they are what an earlier row is."""

    later: NDArray[np.int64]
    earlier: NDArray[np.int64]


def find_repeats(keys: NDArray[np.object_] | NDArray[np.int64]) -> Repeats:
    """Rows whose key of (n,) an earlier row has, each with the first such row."""
    series = pd.Series(keys, dtype=keys.dtype)  # text is not made anything else, which is slow
    later = np.flatnonzero(series.duplicated().to_numpy())
    if not len(later):
        return Repeats(later, later)
    codes, _ = pd.factorize(series)
    first = np.full(int(codes.max()) + 1, len(codes), dtype=np.int64)
    np.minimum.at(first, codes, np.arange(len(codes)))
    return Repeats(later, first[codes[later]])


def repeat_kinds(
    later: pd.DataFrame, earlier: pd.DataFrame, same: Collection[str]
) -> NDArray[np.object_]:
    """(n,) the ``RepeatKind`` of each pair of rows.

    Args:
        later: (n rows) all columns, as text.
        earlier: (n rows) the rows that they repeat.
        same: columns that say which image it is, or which place; those that are there count.
    """
    names = [str(name) for name in later.columns]
    differs = {name: later[name].to_numpy() != earlier[name].to_numpy() for name in names}
    kinds = np.full(len(later), "again", dtype=object)
    none = np.zeros(len(later), dtype=bool)
    turned = np.any([none, *(each for name, each in differs.items() if is_angle(name))], axis=0)
    other = np.any([none, *(differs[name] for name in same if name in differs)], axis=0)
    kinds[turned] = "symmetry"
    kinds[other] = "namesakes"
    kinds[~np.any([none, *differs.values()], axis=0)] = "copy"
    return kinds


def is_angle(column: str) -> bool:
    """Whether a column holds an angle of the pose."""
    return column.startswith(_ANGLES)


def repeat_error(
    star: StarFile,
    block: StarBlock,
    repeats: Repeats,
    *,
    thing: str,
    same: Sequence[str],
    shared: str = "name",
) -> DataError:
    """The error for rows that repeat others: what they are, and what to do.

    Args:
        star: the file.
        block: the table.
        repeats: its rows; at least one.
        thing: what each row of the table is, such as ``"image"``.
        same: columns that say which image it is, or which place, as in :func:`repeat_kinds`; the
            best ones to show first.
        shared: what the rows of a pair have in common, ``"name"`` or ``"stack"``.
    """
    compared = Repeats(repeats.later[:_MOST_COMPARED], repeats.earlier[:_MOST_COMPARED])
    lines = TableLines(star, block)
    later, earlier = (_rows(lines, rows) for rows in compared)
    kinds = repeat_kinds(later, earlier, same)
    first = _worst(kinds)
    which = kinds == kinds[first]
    n_such = int(which.sum()) if which.sum() < len(which) else len(repeats.later)
    rows = compared.later[first] + 1, compared.earlier[first] + 1
    shown_first = [name for name in same if name in block.columns]
    ordered = dict.fromkeys([*shown_first, *block.columns])
    differing = [c for c in ordered if later[c].iloc[first] != earlier[c].iloc[first]]
    if kinds[first] == "namesakes":
        differing = [c for c in differing if c in same]
    values = f"({_values(later.iloc[first], earlier.iloc[first], differing, kinds[first])})"
    many = f"({n_such} such row{'s' * (n_such > 1)})"
    said = {
        "copy": f"row {rows[0]} is a copy of row {rows[1]}, equal in all columns {many}; remove "
        "the copies",
        "symmetry": f"row {rows[0]} is the {thing} of row {rows[1]} with other angles {values}, "
        f"as after symmetry expansion {many}, which is not supported yet; give the file before "
        "expansion",
        "again": f"row {rows[0]} is the {thing} of row {rows[1]} with other values {values} "
        f"{many}; find out which of them hold, and give a file with one row for each {thing}",
        "namesakes": f"rows {rows[1]} and {rows[0]} are two {thing}s of one {shared} {values} "
        f"{many}; {_TELL_APART[shared]}",
    }
    return DataError(f"{star.path}: {said[kinds[first]]}")


def unique_names(
    table: pd.DataFrame,
    tomogram: NDArray[np.object_],
    choices: Sequence[Sequence[str]],
    path: Path,
) -> NDArray[np.object_]:
    """Names that tell the particles of a tomogram apart, from the first columns that do.

    Args:
        table: rows as text.
        tomogram: (rows,) tomogram of each row.
        choices: columns whose text, joined, may be the name; the best ones first, the last one
            beginning with the three coordinates.
        path: the file, for the error.

    Raises:
        DataError: two rows agree in all of them.
    """
    pairs = pd.MultiIndex.from_arrays([tomogram, tomogram])
    for choice in choices:
        if not set(choice) <= set(table.columns):
            continue
        text = reduce(lambda left, right: left + " " + right, (table[c] for c in choice))
        name = text.to_numpy(dtype=object)
        pairs = pd.MultiIndex.from_arrays([tomogram, name])
        if pairs.is_unique:
            return name
    star, place = read_star(path), choices[-1]
    repeats = find_repeats(pairs.to_flat_index().to_numpy())
    raise repeat_error(star, star.table_with(place[0]), repeats, thing="particle", same=place[:3])


def _worst(kinds: NDArray[np.object_]) -> int:
    """The pair to speak of: one that is no copy, where there is one."""
    for kind in ("namesakes", "symmetry", "again"):
        found = np.flatnonzero(kinds == kind)
        if len(found):
            return int(found[0])
    return 0


def _rows(lines: TableLines, rows: NDArray[np.int64]) -> pd.DataFrame:
    """All columns of some rows, as text."""
    of_rows = lines.of_rows[rows].tolist()
    text = [[value.decode() for value in split_row(lines.lines[line])] for line in of_rows]
    return pd.DataFrame(text, columns=list(lines.block.columns), dtype=object)


def _values(later: pd.Series, earlier: pd.Series, differing: list[str], kind: str) -> str:
    """What differs, in a few words."""
    named = [name for name in differing if is_angle(name) or kind != "symmetry"]
    shown = [
        f"{name} {quote_value(earlier[name])} and {quote_value(later[name])}"
        for name in named[:_MOST_SHOWN]
    ]
    others = named[_MOST_SHOWN:]
    return ", ".join(shown) + (f", also {list_names(others)}" if others else "")
