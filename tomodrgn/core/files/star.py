"""STAR files as tables of text: read without changing a value, written back without changing a row.

Every value stays the text that the file holds, because names like ``01`` or ``1e5`` are not
numbers; :func:`numeric_column` converts where a number is meant. A selection of rows is copied
from the bytes of the original file, so that columns which nobody here knows survive. Column names
are given without their leading underscore. What a column means is left to the readers.

Source:
    Hall 1991, doi:10.1021/ci00002a020 (STAR), in the subset that RELION, Warp and M write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import write_bytes_atomic, write_text_atomic
from tomodrgn.core.files.star_rows import RaggedRowsError, is_row, parse_rows, split_row

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from numpy.typing import NDArray

_BLOCK_START: Final = b"data_"
_NEEDS_QUOTES: Final = re.compile(r"\s|^[#_\"']|^$")


@dataclass(frozen=True, slots=True, kw_only=True)
class StarBlock:
    """Where one block of a STAR file lies, and what it holds.

    Attributes:
        name: what follows ``data_``.
        columns: names of the columns of a table, or of the values of a plain block.
        values: the values of a plain block; None for a table.
        start: offset of the first byte after the header.
        stop: offset of the byte after the last one.
    """

    name: str
    columns: tuple[str, ...]
    values: tuple[str, ...] | None
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StarFile:
    """The bytes of a STAR file and the blocks found in them."""

    path: Path
    content: bytes
    blocks: tuple[StarBlock, ...]

    @property
    def tables(self) -> tuple[StarBlock, ...]:
        """The blocks with rows and columns."""
        return tuple(block for block in self.blocks if block.values is None)

    def table_with(self, column: str) -> StarBlock:
        """The first table that has ``column``.

        Raises:
            DataError: there is none.
        """
        for block in self.tables:
            if column in block.columns:
                return block
        found = "; ".join(f"data_{block.name}: {', '.join(block.columns)}" for block in self.tables)
        raise DataError(f"{self.path}: column {column} is missing; found {found or 'no table'}")

    def read(self, block: StarBlock, columns: Collection[str] | None = None) -> pd.DataFrame:
        """Rows of a table as text.

        Args:
            block: a table of this file.
            columns: names of the columns wanted, all by default.

        Returns:
            One ``object`` column of strings for each wanted column, in the order of the table.

        Raises:
            DataError: a row has too few or too many values, or is not UTF-8.
        """
        try:
            return parse_rows(self.content[block.start : block.stop], block.columns, columns)
        except RaggedRowsError as error:
            where = f"{self.path}: table data_{block.name}"
            raise DataError(f"{where}: {error}; correct or remove the row") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path}: holds text that is not UTF-8: {error}") from error


def read_star(path: Path, *, max_bytes: int | None = None) -> StarFile:
    """A STAR file with its blocks; no row is parsed yet.

    Args:
        path: the file.
        max_bytes: look only at the complete lines among the first bytes.

    Raises:
        DataError: the file cannot be read, is not text, or names a column twice.
    """
    try:
        with path.open("rb") as file:
            content = file.read(-1 if max_bytes is None else max_bytes)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) == max_bytes:
        content = content[: content.rfind(b"\n") + 1]
    try:
        starts = _block_starts(content)
        blocks = [_scan_block(content, *span) for span in pairwise([*starts, len(content)])]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no STAR file: its header is not UTF-8 text") from error
    for block in blocks:
        twins = [name for name in block.columns if block.columns.count(name) > 1]
        if twins:
            raise DataError(f"{path}: data_{block.name} names {twins[0]} twice; remove one")
    return StarFile(path=path, content=content, blocks=tuple(blocks))


def numeric_column(table: pd.DataFrame, name: str, path: Path) -> NDArray[np.float64]:
    """A column of text as finite numbers.

    Args:
        table: rows as :meth:`StarFile.read` returns them.
        name: the column.
        path: the file they came from, for the error.

    Raises:
        DataError: a value is not a finite number; the first one is named with its row.
    """
    numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64)
    bad_rows = np.flatnonzero(~np.isfinite(numbers))
    if len(bad_rows):
        raise DataError(
            f"{path}: column {name}, row {bad_rows[0] + 1}: {table[name].iloc[bad_rows[0]]!r} is "
            f"not a finite number ({len(bad_rows)} such rows); correct or remove them"
        )
    return numbers


def write_selection(
    source: Path, rows: NDArray[np.int64], out: Path, *, column: str = "rlnImageName"
) -> None:
    """Copy a STAR file with only some rows of one table; every byte that stays is the original.

    Args:
        source: the original file.
        rows: (n,) rows to keep, from 0; they stay in the order of the file.
        out: the file to write.
        column: a column of the table that is filtered.

    Raises:
        DataError: a row lies outside the table.
    """
    star = read_star(source)
    block = star.table_with(column)
    lines = star.content[block.start : block.stop].splitlines(keepends=True)
    row_lines = np.flatnonzero([is_row(line) for line in lines])
    outside = rows[(rows < 0) | (rows >= len(row_lines))]
    if len(outside):
        raise DataError(f"{source}: has no row {outside[0]}; rows are 0 to {len(row_lines) - 1}")
    keeps = np.ones(len(lines), dtype=bool)
    keeps[np.delete(row_lines, rows)] = False
    kept = b"".join(line for line, keep in zip(lines, keeps.tolist(), strict=True) if keep)
    write_bytes_atomic(out, star.content[: block.start] + kept + star.content[block.stop :])


def write_table(path: Path, table: pd.DataFrame, block: str = "") -> None:
    """Write one table, values as ``str`` gives them and separated by tabs.

    Args:
        path: the file to write.
        table: one column for each STAR column, named without underscore.
        block: name of the block, empty for ``data_``.
    """
    header = [f"_{name} #{number}" for number, name in enumerate(table.columns, start=1)]
    columns = [[_quote_if_needed(str(value)) for value in table[name]] for name in table.columns]
    rows = map("\t".join, zip(*columns, strict=True))
    write_text_atomic(path, "\n".join(["", f"data_{block}", "", "loop_", *header, *rows, ""]))


def _block_starts(content: bytes) -> list[int]:
    """Offsets of the lines that begin a block; the beginning of the file where none does."""
    starts = []
    found = 0 if content.startswith(_BLOCK_START) else _next_line_with(content, _BLOCK_START, 0)
    while found is not None:
        line = content[found : _line_end(content, found)]
        if len(line.partition(b"#")[0].split()) == 1:  # a row may begin with these letters too
            starts.append(found)
        found = _next_line_with(content, _BLOCK_START, found)
    return starts or [0]


def _scan_block(content: bytes, start: int, stop: int) -> StarBlock:
    """Read the header of a table, or the whole of a plain block."""
    name, is_table = "", False
    entries: list[tuple[str, str]] = []
    while start < stop:
        end = _line_end(content, start)
        line = content[start:end]
        words = split_row(line) if is_row(line) else []
        if words and words[0] == b"loop_":
            is_table = True
        elif words and words[0].startswith(b"_"):
            entries.append((words[0][1:].decode(), words[1].decode() if words[1:] else ""))
        elif words and words[0].startswith(_BLOCK_START) and not entries:
            name = words[0].removeprefix(_BLOCK_START).decode()
        elif words:
            break  # the first row
        start = end
    columns, values = zip(*entries, strict=True) if entries else ((), ())
    return StarBlock(
        name=name, columns=columns, values=None if is_table else values, start=start, stop=stop
    )


def _line_end(content: bytes, start: int) -> int:
    """Offset after the line that begins at ``start``."""
    return content.find(b"\n", start) + 1 or len(content)


def _next_line_with(content: bytes, prefix: bytes, start: int) -> int | None:
    """Offset of the next line after ``start`` that begins with ``prefix``."""
    found = content.find(b"\n" + prefix, start)
    return None if found < 0 else found + 1


def _quote_if_needed(value: str) -> str:
    return f'"{value}"' if _NEEDS_QUOTES.search(value) else value
