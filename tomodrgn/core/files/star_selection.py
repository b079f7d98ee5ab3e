"""Part of a STAR file: some rows of its tables, every byte that stays as it was.

Values can be replaced in single rows, and columns can be appended; whatever else a line holds
(tabs, quotes, spaces at its end, the carriage return of Windows) stays as it is.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.errors import DataError, OutputError
from tomodrgn.core.files.atomic import atomic_path
from tomodrgn.core.files.star_columns import with_entries
from tomodrgn.core.files.star_rows import is_row, value_spans
from tomodrgn.core.quoting import star_name, star_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarBlock, StarFile

_LINE_END: Final = re.compile(rb"[\r\n]*\Z")


@dataclass(frozen=True)
class TableLines:
    """The lines below the header of a table, split once for any number of selections."""

    star: StarFile
    block: StarBlock

    @cached_property
    def lines(self) -> list[bytes]:
        """Every line, those without values too."""
        return self.star.content[self.block.start : self.block.stop].splitlines(keepends=True)

    @cached_property
    def of_rows(self) -> NDArray[np.int64]:
        """(rows,) the line of each row."""
        lines = self.lines
        if self.star.content.find(b"#", self.block.start, self.block.stop) < 0:  # no comments
            return np.flatnonzero(~np.fromiter(map(bytes.isspace, lines), bool, len(lines)))
        return np.flatnonzero(np.fromiter(map(is_row, lines), bool, len(lines)))


@dataclass(frozen=True, kw_only=True)
class RowSelection:
    """Rows of one table to keep, and what to change in them.

    Attributes:
        table: the lines of the table.
        keeps: (rows,) whether each row stays.
        replaced: text by row, by column.
        appended: text of (kept rows,) values by name of a new column.
    """

    table: TableLines
    keeps: NDArray[np.bool_]
    replaced: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    appended: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)

    def header(self, start: int) -> bytes:
        """What the file holds from ``start`` to the first row, with the new columns.

        That is all of a simple block.
        """
        star, block = self.table.star, self.table.block
        taken = sorted(set(self.appended) & set(block.columns))
        if taken:
            raise DataError(
                f"{star.path}: has a column {taken[0]} already; choose another name for the new one"
            )
        text = star.content[start : block.start]
        if block.values is not None:
            return self._entries(text)
        if not self.appended:
            return text
        last = text[text.rfind(b"_" + block.columns[-1].encode()) :].splitlines()[0]
        first = len(block.columns) + 1
        added = [
            f"_{star_name(name)} #{number}" if b"#" in last else f"_{star_name(name)}"
            for number, name in enumerate(self.appended, start=first)
        ]
        return _below_names(text, added)

    def rows(self) -> Iterable[bytes]:
        """The lines that stay; comments and blank lines all do."""
        lines, of_rows = self.table.lines, self.table.of_rows
        if self.table.block.values is not None:
            return lines
        if len(of_rows) != len(self.keeps):
            raise ValueError(f"the table has {len(of_rows)} rows, the mask {len(self.keeps)}")
        stays = np.ones(len(lines), dtype=bool)
        stays[of_rows[~self.keeps]] = False
        if any(self.replaced.values()) or self.appended:
            lines = self._changed(list(lines))
        return compress(lines, stays.tolist())

    def _entries(self, text: bytes) -> bytes:
        """A simple block with its values changed and new ones; nothing where its row goes."""
        if not self.keeps.all():
            return _before_block(text)
        texts = {name: rows[0] for name, rows in self.replaced.items() if 0 in rows}
        text = with_entries(text, texts)
        if not self.appended:
            return text
        added = [
            f"_{star_name(name)}\t{star_value(str(new[0]))}" for name, new in self.appended.items()
        ]
        return _below_names(text, added)

    def _changed(self, lines: list[bytes]) -> list[bytes]:
        """Lines with values replaced, then columns appended."""
        of_rows, columns = self.table.of_rows, self.table.block.columns
        texts_of: dict[int, list[tuple[int, str]]] = {}
        for name in sorted(self.replaced, key=columns.index, reverse=True):  # from the right
            for row, text in self.replaced[name].items():
                texts_of.setdefault(row, []).append((columns.index(name), text))
        for row, texts in texts_of.items():
            line = lines[of_rows[row]]
            spans = value_spans(line)
            for place, text in texts:
                start, stop = spans[place]
                line = line[:start] + star_value(text, is_first=place == 0).encode() + line[stop:]
            lines[of_rows[row]] = line
        if self.appended:
            kept = of_rows[self.keeps].tolist()
            for number, values in zip(kept, zip(*self.appended.values(), strict=True), strict=True):
                added = "".join(f"\t{star_value(value)}" for value in values).encode()
                line = lines[number]
                end = value_spans(line)[-1][1] if b"#" in line else len(line.rstrip(b"\r\n"))
                lines[number] = line[:end] + added + (line[end:] or b"\n")
        return lines


def selected(
    star: StarFile, selections: Sequence[RowSelection], without: Collection[str] = ()
) -> Iterable[bytes]:
    """Parts of a STAR file, to be written one after another.

    Args:
        star: the file.
        selections: of tables of the file; other blocks stay whole.
        without: names of the blocks that go.
    """
    of_block = {selection.table.block.start: selection for selection in selections}
    end = 0
    for block in star.blocks:
        begin, end = end, block.stop
        selection = of_block.get(block.start)
        if block.name in without:
            yield _before_block(star.content[begin : block.start])
        elif selection is None:
            yield star.content[begin:end]
        else:
            yield selection.header(begin)
            yield from selection.rows()


def write_together(files: Mapping[Path, Iterable[bytes]], inputs: Collection[Path]) -> list[Path]:
    """Write files that appear together or not at all; their paths.

    Args:
        files: parts of each file by path; the first one refers to the others, and appears last.
        inputs: files that must stay.

    Raises:
        OutputError: a path is that of an input, or cannot be written.
    """
    known = {path.resolve() for path in inputs}
    taken = next((path for path in files if path.resolve() in known), None)
    if taken is not None:
        raise OutputError(f"{taken}: is the input, which stays as it is; name another output")
    with ExitStack() as stack:  # which closes the last file first
        for path, parts in files.items():
            if path.is_dir():
                raise OutputError(f"{path}: is a folder; name a file")
            with stack.enter_context(atomic_path(path)).open("wb") as file:
                file.writelines(parts)
    return list(files)


def _below_names(text: bytes, added: Sequence[str]) -> bytes:
    """A header with lines added below the last one that names a column."""
    lines = text.splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if line.lstrip().startswith(b"_"))
    end = _LINE_END.search(lines[last])
    ending = (end[0] if end else b"") or b"\n"
    head = b"".join(lines[: last + 1]).rstrip(b"\r\n") + ending
    return head + b"".join(line.encode() + ending for line in added) + b"".join(lines[last + 1 :])


def _before_block(text: bytes) -> bytes:
    """What stands before the line that begins a block."""
    start = 0 if text.startswith(b"data_") else text.find(b"\ndata_") + 1
    return text[:start]
