"""A STAR file with other values in some columns; headers and other blocks keep their bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tomodrgn.core.files.star_rows import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarBlock, StarFile

    Column = NDArray[np.object_]


def with_columns(star: StarFile, changed: Mapping[str, Mapping[str, Column]]) -> bytes:
    """The content of the file with changed columns.

    Rows of a table that changes are written with tabs between their values, and lose comments
    between them.

    Args:
        star: the file.
        changed: text of (n,) values by column, by block.
    """
    parts, end = [], 0
    for block in star.tables:
        columns = changed.get(block.name, {})
        if columns:
            parts += [star.content[end : block.start], _rows(star, block, columns), b"\n"]
            end = block.stop
    return b"".join([*parts, star.content[end:]])


def with_values(star: StarFile, changed: Mapping[str, str]) -> bytes:
    """The content of the file with other values in its plain blocks, by name."""
    content = star.content
    for name, value in changed.items():
        line = re.compile(rb"^([ \t]*_%s[ \t]+)[^\r\n]*" % re.escape(name.encode()), re.MULTILINE)
        found = line.search(content)
        if found is not None:
            content = content[: found.end(1)] + quoted(value).encode() + content[found.end() :]
    return content


def _rows(star: StarFile, block: StarBlock, columns: Mapping[str, Column]) -> bytes:
    """Rows of a table as text, with the columns given in place of its own."""
    table = star.read(block).assign(**columns)
    values = [[quoted(value) for value in table[name]] for name in block.columns]
    return "".join("\t".join(row) + "\n" for row in zip(*values, strict=True)).encode()
