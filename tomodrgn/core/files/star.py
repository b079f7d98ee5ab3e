"""STAR files as tables of text: read without changing a value, written back without changing a row.

Every value stays the text that the file holds, because names like ``01`` or ``1e5`` are not
numbers; :func:`numeric_column` converts where a number is meant. Rows are copied as bytes in
:mod:`~tomodrgn.core.files.star_selection`. Column names are given without their leading underscore.
Names with a value each, without ``loop_``, are a table of one row. What a column means is left to
the readers.

Source:
    Hall 1991, doi:10.1021/ci00002a020 (STAR), in the subset that RELION, Warp and M write.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from reprlib import Repr
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.foreign_files import refuse_folder, refuse_foreign_file
from tomodrgn.core.files.opening import open_to_read
from tomodrgn.core.files.star_rows import RaggedRowsError, is_row, parse_rows, split_row
from tomodrgn.core.quoting import star_name, star_value

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from numpy.typing import NDArray

_BLOCK_START: Final = b"data_"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_MARKS_OF_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_HEAD_BYTES: Final = 1 << 16
_PART_BYTES: Final = 1 << 20
_MAX_BLOCKS: Final = 100_000
_MAX_COLUMNS: Final = 10_000
_MAX_NAMES_SHOWN: Final = 50
_NOT_TEXT: Final = bytes(set(range(32)) - set(b"\t\n\r"))
_LARGEST_NUMBER: Final = 1e30  # fits 32 bits, also after a change of units


class HeaderError(DataError):
    """The header of a block cannot be understood; the message says why, not in which file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StarBlock:
    """Where one block of a STAR file lies, and what it holds.

    Attributes:
        name: what follows ``data_``.
        columns: names of the columns.
        values: the one row of a simple block, which has no ``loop_``; None for a loop.
        head: offset of its first byte.
        start: offset of the first byte after the header, in simple blocks after the values.
        stop: offset of the byte after the last one.
    """

    name: str
    columns: tuple[str, ...]
    values: tuple[str, ...] | None
    head: int
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
        """The blocks with rows and columns; simple ones have one row."""
        return tuple(block for block in self.blocks if block.values is None or block.columns)

    def value_of(self, name: str) -> str | None:
        """The value of a name, in the first block that has it; None where none does.

        Raises:
            DataError: the block is a table, and has not one row.
        """
        block = next((block for block in self.blocks if name in block.columns), None)
        if block is None:
            return None
        values = self.read(block, [name])[name].tolist()
        if len(values) != 1:
            raise DataError(
                f"{self.path}: data_{block.name} has {len(values)} rows with {name}; one is "
                f"needed, give each its own file"
            )
        return str(values[0])

    def table_with(self, column: str) -> StarBlock:
        """The first table that has ``column``.

        Raises:
            DataError: there is none.
        """
        for block in self.tables:
            if column in block.columns:
                return block
        found = "; ".join(
            f"data_{block.name}: {list_names(block.columns)}"
            for block in self.tables[:_MAX_NAMES_SHOWN]
        )
        if not found:
            raise DataError(
                f"{self.path}: column {column} is missing, as the file holds no table; give a STAR "
                "file, and copy or export it again if it should be one"
            )
        raise DataError(f"{self.path}: column {column} is missing; found {found}")

    def read(
        self,
        block: StarBlock,
        columns: Collection[str] | None = None,
        *,
        numbers: Collection[str] = (),
    ) -> pd.DataFrame:
        """Rows of a table as text.

        Args:
            block: a table of this file.
            columns: names of the columns wanted, all by default.
            numbers: those that are meant for :func:`numeric_column`; they take less memory.

        Returns:
            One ``object`` column of strings for each wanted column, in the order of the table;
            numbers as floats where they can be.

        Raises:
            DataError: a row has too few or too many values, or is not UTF-8.
        """
        if block.values is not None:
            return _one_row(block, columns)
        try:
            return parse_rows(
                self.content, block.columns, columns,
                numbers=numbers, start=block.start, stop=block.stop,
            )  # fmt: skip
        except RaggedRowsError as error:
            where = f"{self.path}: table data_{block.name}"
            raise DataError(f"{where}: {error}; correct the row") from error
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.path}: line {_foreign_line(self.content)} is not UTF-8 text; save the file "
                f"as UTF-8"
            ) from error


def _foreign_line(content: bytes) -> int:
    """Number, from 1, of the first line that is not UTF-8."""
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return number
    return 0


def _one_row(block: StarBlock, wanted: Collection[str] | None) -> pd.DataFrame:
    """The values of a simple block as a table."""
    row = dict(zip(block.columns, block.values or (), strict=True))
    chosen = [name for name in block.columns if wanted is None or name in wanted]
    cells = {name: np.array([row[name]], dtype=object) for name in chosen}
    return pd.DataFrame(cells, index=pd.RangeIndex(1), dtype=object)


def read_star(path: Path, *, max_bytes: int | None = None) -> StarFile:
    """A STAR file with its blocks; no row is parsed yet.

    Args:
        path: the file.
        max_bytes: look only at the complete lines among the first bytes.

    Raises:
        DataError: the file cannot be read, is one of another program, is not text, or names a
            column twice.
    """
    refuse_folder(path)
    content = _read_text(path, max_bytes)
    try:
        starts = _block_starts(content)
        blocks = [_scan_block(content, *span) for span in pairwise([*starts, len(content)])]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no STAR file: its header is not UTF-8 text") from error
    except HeaderError as error:
        raise DataError(f"{path}: {error}") from error
    return StarFile(path=path, content=content, blocks=tuple(blocks))


def list_names(names: Collection[str]) -> str:
    """Names for an error, the first ones where there are many."""
    shown = ", ".join(list(names)[:_MAX_NAMES_SHOWN])
    n_hidden = len(names) - _MAX_NAMES_SHOWN
    return f"{shown} and {n_hidden} more" if n_hidden > 0 else shown


def quote_value(value: object) -> str:
    """A value for an error, shortened where it is long."""
    if isinstance(value, float):
        return f"{value:g}"
    shorten = Repr()
    shorten.maxstring = 200
    return shorten.repr(value)


def numeric_column(table: pd.DataFrame, name: str, path: Path) -> NDArray[np.float64]:
    """A column (n,) of text as finite numbers; those beyond 1e30 count as infinite.

    Args:
        table: rows as :meth:`StarFile.read` returns them, with this column as text or numbers.
        name: the column.
        path: the file they came from, for the error.

    Raises:
        DataError: a value is not a finite number; the first one is named with its row.
    """
    numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64)
    bad_rows = np.flatnonzero(~(np.abs(numbers) <= _LARGEST_NUMBER))
    if len(bad_rows):
        value = quote_value(table[name].iloc[bad_rows[0]])
        raise DataError(
            f"{path}: column {name}, row {bad_rows[0] + 1}: {value} is not a finite number "
            f"({len(bad_rows)} such rows); put in numbers, or export the file again"
        )
    return numbers


def write_table(path: Path, table: pd.DataFrame, block: str = "") -> None:
    """Write one table, values as ``str`` gives them and separated by tabs.

    Args:
        path: the file to write.
        table: one column for each STAR column, named without underscore.
        block: name of the block, empty for ``data_``.
    """
    header = [f"_{star_name(name)} #{number}" for number, name in enumerate(table.columns, start=1)]
    columns = [
        [star_value(str(value), is_first=place == 0) for value in table[name]]
        for place, name in enumerate(table.columns)
    ]
    rows = map("\t".join, zip(*columns, strict=True))
    write_text_atomic(
        path, "\n".join(["", f"data_{star_name(block)}", "", "loop_", *header, *rows, ""])
    )


def _read_text(path: Path, max_bytes: int | None) -> bytes:
    """A file of text, or the complete lines among its first bytes.

    The head is judged before the rest is read, which may be a stack of images of any size.
    """
    with open_to_read(path) as file:
        n_bytes = _HEAD_BYTES if max_bytes is None else max_bytes
        content = file.read(n_bytes)
        if not (content.startswith(_BLOCK_START) or b"\n" + _BLOCK_START in content):
            refuse_foreign_file(path, content)
        _refuse_binary(path, content)
        if max_bytes is None and len(content) == n_bytes:
            file.seek(0)
            content = file.read()
            _refuse_binary(path, content)
    is_cut = len(content) == max_bytes
    return content[: content.rfind(b"\n") + 1] if is_cut else content


def _refuse_binary(path: Path, content: bytes) -> None:
    if content.startswith(_MARKS_OF_UTF16):
        raise DataError(f"{path}: is text of 16 bits per letter (UTF-16); save it as UTF-8")
    for start in range(0, len(content), _PART_BYTES):
        part = content[start : start + _PART_BYTES]
        if len(part.translate(None, _NOT_TEXT)) < len(part):
            raise DataError(f"{path}: holds bytes that are no text, so it is no STAR file")


def _block_starts(content: bytes) -> list[int]:
    """Offsets of the lines that begin a block; the beginning of the file where none does."""
    starts = []
    first = len(_BYTE_ORDER_MARK) if content.startswith(_BYTE_ORDER_MARK) else 0
    begins = content.startswith(_BLOCK_START, first)
    found = first if begins else _next_line_with(content, _BLOCK_START, first)
    while found is not None:
        line = content[found : _line_end(content, found)]
        if len(line.partition(b"#")[0].split()) == 1:  # a row may begin with these letters too
            starts.append(found)
        if len(starts) > _MAX_BLOCKS:
            raise HeaderError(f"has more than {_MAX_BLOCKS} blocks, so it is no STAR file")
        found = _next_line_with(content, _BLOCK_START, found)
    return starts or [first]


def _scan_block(content: bytes, start: int, stop: int) -> StarBlock:
    """Read the header of a loop, or the whole of a simple block."""
    name, is_table, head = "", False, start
    entries: list[tuple[str, str]] = []
    while start < stop and len(entries) <= _MAX_COLUMNS:
        end = _line_end(content, start)
        line = content[start:end]
        first = line.split(maxsplit=1)[0] if is_row(line) else b""
        if first == b"loop_" and not is_table and not entries:
            is_table = True
        elif first.startswith(b"_"):
            words = split_row(line)
            entries.append((words[0][1:].decode(), words[1].decode() if words[1:] else ""))
        elif first.startswith(_BLOCK_START) and not entries:
            name = first.removeprefix(_BLOCK_START).decode()
        elif first:
            break  # the first row
        start = end
    columns, values = zip(*entries, strict=True) if entries else ((), ())
    block = StarBlock(
        name=name, columns=columns, values=None if is_table else values,
        head=head, start=start, stop=stop,
    )  # fmt: skip
    _check_block(block, content)
    return block


def _check_block(block: StarBlock, content: bytes) -> None:
    """Refuse headers that no program writes, and a second table in a block."""
    if len(block.columns) > _MAX_COLUMNS:
        raise HeaderError(f"data_{block.name} names more than {_MAX_COLUMNS} columns")
    twins = [name for name, count in Counter(block.columns).items() if count > 1]
    if twins:
        raise HeaderError(f"data_{block.name} names {twins[0]} twice; remove one with its values")
    if content.startswith(b"loop_", block.start) or (
        content.find(b"\nloop_", block.start, block.stop) >= 0
    ):
        raise HeaderError(
            f"data_{block.name} holds a second table; give each its own block, data_NAME"
        )


def _line_end(content: bytes, start: int) -> int:
    """Offset after the line that begins at ``start``."""
    return content.find(b"\n", start) + 1 or len(content)


def _next_line_with(content: bytes, prefix: bytes, start: int) -> int | None:
    """Offset of the next line after ``start`` that begins with ``prefix``."""
    found = content.find(b"\n" + prefix, start)
    return None if found < 0 else found + 1
