"""A STAR file with other values in some columns; headers and other blocks keep their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.files.star_rows import value_spans
from tomodrgn.core.quoting import star_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarBlock, StarFile

    Column = NDArray[np.object_]


def with_columns(star: StarFile, changed: Mapping[str, Mapping[str, Column]]) -> bytes:
    """The content of the file with changed columns.

    Rows of a loop that changes are written with tabs between their values, and lose comments
    between them.

    Args:
        star: the file.
        changed: text of (n,) values by column, by block.
    """
    parts, end = [], 0
    for block in star.tables:
        columns = changed.get(block.name, {})
        if columns and block.values is not None:
            texts = {name: str(values[0]) for name, values in columns.items()}
            header = star.content[block.head : block.start]
            parts += [star.content[end : block.head], with_entries(header, texts)]
            end = block.start
        elif columns:
            parts += [star.content[end : block.start], _rows(star, block, columns), b"\n"]
            end = block.stop
    return b"".join([*parts, star.content[end:]])


def with_values(star: StarFile, changed: Mapping[str, str]) -> bytes:
    """The content of the file with other values of names that have one, wherever they stand."""
    of_block: dict[str, dict[str, Column]] = {}
    for name, value in changed.items():
        block = next((block for block in star.blocks if name in block.columns), None)
        if block is not None:
            of_block.setdefault(block.name, {})[name] = np.array([value], dtype=object)
    return with_columns(star, of_block)


def with_entries(header: bytes, texts: Mapping[str, str]) -> bytes:
    """A simple block with other values; all else keeps its bytes.

    Args:
        header: its lines.
        texts: new values by name.
    """
    lines = header.splitlines(keepends=True)
    for number, line in enumerate(lines):
        spans = value_spans(line)
        name = line[slice(*spans[0])].removeprefix(b"_").decode() if spans else ""
        if name in texts and line[spans[0][0] :].startswith(b"_"):
            start, stop = spans[1] if spans[1:] else (spans[0][1],) * 2
            gap = b"" if spans[1:] else b"\t"
            lines[number] = line[:start] + gap + star_value(texts[name]).encode() + line[stop:]
    return b"".join(lines)


def _rows(star: StarFile, block: StarBlock, columns: Mapping[str, Column]) -> bytes:
    """Rows of a table as text, with the columns given in place of its own."""
    table = star.read(block).assign(**columns)
    values = [
        [star_value(value, is_first=place == 0) for value in table[name]]
        for place, name in enumerate(block.columns)
    ]
    return "".join("\t".join(row) + "\n" for row in zip(*values, strict=True)).encode()
