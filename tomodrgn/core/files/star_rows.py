"""Rows of a STAR table as text: fast where lines are plain, exact where they are not.

A row is a line with values between spaces or tabs; a value with a space in it is in single or
double quotes. Blank lines and lines that begin with ``#`` are no rows.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_ROWS_PER_CHUNK: Final = 100_000
_VALUE: Final = re.compile(rb"""(["'])(.*?)\1(?=\s|$)|(\S+)""")
_SINGLE_QUOTED: Final = re.compile(rb"(?:^|\s)'")


class RaggedRowsError(DataError):
    """A row has not one value for each column; the message says which, not in which file."""


def is_row(line: bytes) -> bool:
    """Whether a line holds values, that is, neither nothing nor a comment."""
    return not line.isspace() and line != b"" and not line.lstrip().startswith(b"#")


def split_row(line: bytes) -> list[bytes]:
    """Values of a line, without their quotes."""
    return [quoted if quote else bare for quote, quoted, bare in _VALUE.findall(line)]


def parse_rows(
    rows: bytes, columns: Sequence[str], wanted: Collection[str] | None = None
) -> pd.DataFrame:
    """Rows of a table as text.

    Args:
        rows: the lines below the header of a table.
        columns: names of all columns of the table.
        wanted: names of the columns to return, all by default.

    Returns:
        One ``object`` column of strings for each wanted column, in the order of the table.

    Raises:
        RaggedRowsError: a row has too few or too many values.
        UnicodeDecodeError: a value is not UTF-8.
    """
    chosen = [name for name in columns if wanted is None or name in wanted]
    if b"#" in rows:
        rows = b"".join(line for line in rows.splitlines(keepends=True) if is_row(line))
    rows = rows.lstrip()
    table = _parse_plain_rows(rows, list(columns), chosen)
    return _parse_any_rows(rows, list(columns))[chosen] if table is None else table


def _parse_plain_rows(rows: bytes, columns: list[str], chosen: list[str]) -> pd.DataFrame | None:
    """Rows by the parser of pandas, in chunks to bound memory; None where it may be wrong.

    It pads short rows with empty values, takes surplus values of the first row for an index, and
    knows one kind of quote.
    """
    first_row = rows[: rows.find(b"\n") + 1] or rows
    if len(split_row(first_row)) != len(columns) or (b"'" in rows and _SINGLE_QUOTED.search(rows)):
        return None
    parts = []
    try:
        with pd.read_csv(
            io.BytesIO(rows), sep=r"\s+", header=None, names=columns, index_col=False,
            dtype=object, na_filter=False, keep_default_na=False, chunksize=_ROWS_PER_CHUNK,
        ) as chunks:  # fmt: skip
            for chunk in chunks:
                if (chunk[columns[-1]] == "").any():
                    return None
                parts.append(chunk[chosen])
    except pd.errors.ParserError:
        return None
    return pd.concat(parts, ignore_index=True)


def _parse_any_rows(rows: bytes, columns: list[str]) -> pd.DataFrame:
    """Rows one by one: slow, exact, and able to say which one is ragged."""
    values = [split_row(line) for line in rows.splitlines() if is_row(line)]
    for number, row in enumerate(values, start=1):
        if len(row) != len(columns):
            raise RaggedRowsError(f"row {number} has {len(row)} values for {len(columns)} columns")
    text = [[value.decode() for value in row] for row in values]
    cells = np.empty((len(text), len(columns)), dtype=object)
    cells[:] = text if text else cells
    return pd.DataFrame(cells, columns=columns)
