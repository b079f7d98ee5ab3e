"""Rows of a STAR table as text: fast where lines are plain, exact where they are not.

A row is a line with values between spaces or tabs; a value with a space in it is in single or
double quotes. Blank lines and lines that begin with ``#`` are no rows. Every step takes time in
proportion to the bytes, whatever they are.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_FEW_BYTES: Final = 1 << 14  # are read faster without pandas
_ROWS_PER_CHUNK: Final = 100_000
_OPENING_QUOTE: Final = re.compile(rb"""(?<!\S)["']""")
_CLOSING_QUOTE: Final = {
    b"'": re.compile(rb"'(?!\S)"),
    b'"': re.compile(rb'"(?!\S)'),
}
"""A quote inside a value, as in ``5'-end``, neither opens nor closes one."""
_NEEDS_QUOTES: Final = re.compile(r"\s|^[#_\"']|^$")
_BARE: Final = re.compile(rb"\S+")


class RaggedRowsError(DataError):
    """A row has not one value for each column; the message says which, not in which file."""


def is_row(line: bytes) -> bool:
    """Whether a line holds values, that is, neither nothing nor a comment."""
    return not line.isspace() and line != b"" and not line.lstrip().startswith(b"#")


def split_row(line: bytes) -> list[bytes]:
    """Values of a line, without their quotes."""
    return list(_quoted_values(line)) if _has_quoted_values(line) else line.split()


def value_spans(line: bytes) -> list[tuple[int, int]]:
    """Where each value of a line begins and ends, with its quotes."""
    spans, place, unclosed = [], 0, set[bytes]()
    while bare := _BARE.search(line, place):
        closing = _closing_quote(line, bare, unclosed)
        place = closing.end() if closing else bare.end()
        spans.append((bare.start(), place))
    return spans


def quoted(value: str) -> str:
    """The value, in quotes where white space or its first letter asks for them."""
    if not _NEEDS_QUOTES.search(value):
        return value
    quote = "'" if '"' in value else '"'
    return f"{quote}{value}{quote}"


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
    is_long = len(rows) > _FEW_BYTES
    table = _parse_plain_rows(rows, list(columns), chosen) if is_long else None
    return _parse_any_rows(rows, list(columns), chosen) if table is None else table


def _has_quoted_values(text: bytes) -> bool:
    has_quotes = b"'" in text or b'"' in text  # rules out most text, and faster
    return has_quotes and _OPENING_QUOTE.search(text) is not None


def _quoted_values(line: bytes) -> Iterator[bytes]:
    """Values of a line of which some begin with a quote; one that is never closed is no quote."""
    place, unclosed = 0, set[bytes]()
    while bare := _BARE.search(line, place):
        closing = _closing_quote(line, bare, unclosed)
        yield line[bare.start() + 1 : closing.start()] if closing else bare.group()
        place = closing.end() if closing else bare.end()


def _closing_quote(
    line: bytes, bare: re.Match[bytes], unclosed: set[bytes]
) -> re.Match[bytes] | None:
    """The quote that closes the one a value begins with, if it does; remembers unclosed ones."""
    opening = bare.group()[:1]
    if opening not in _CLOSING_QUOTE or opening in unclosed:
        return None
    closing = _CLOSING_QUOTE[opening].search(line, bare.start() + 1)
    if closing is None:
        unclosed.add(opening)
    return closing


def _parse_plain_rows(rows: bytes, columns: list[str], chosen: list[str]) -> pd.DataFrame | None:
    """Rows by the parser of pandas, in chunks to bound memory; None where it may be wrong.

    It pads short rows with empty values, takes surplus values of the first row for an index, and
    has other rules for quotes.
    """
    first_row = rows[: rows.find(b"\n") + 1] or rows
    if len(split_row(first_row)) != len(columns) or _has_quoted_values(rows):
        return None
    parts = []
    try:
        with pd.read_csv(
            io.BytesIO(rows), sep=r"\s+", header=None, names=columns, index_col=False,
            quoting=csv.QUOTE_NONE, dtype=object, na_filter=False, keep_default_na=False,
            chunksize=_ROWS_PER_CHUNK,
        ) as chunks:  # fmt: skip
            for chunk in chunks:
                if (chunk[columns[-1]] == "").any():
                    return None
                parts.append(chunk[chosen])
    except pd.errors.ParserError:
        return None
    return pd.concat(parts, ignore_index=True)


def _parse_any_rows(rows: bytes, columns: list[str], chosen: list[str]) -> pd.DataFrame:
    """Rows one by one: slow, exact, and able to say which one is ragged."""
    rows.decode()  # also in columns that are not wanted
    places = [columns.index(name) for name in chosen]
    text: list[list[str]] = []
    for line in filter(is_row, rows.splitlines()):
        values = split_row(line)
        if len(values) != len(columns):
            raise RaggedRowsError(
                f"row {len(text) + 1} has {len(values)} values for {len(columns)} columns"
            )
        text.append([values[place].decode() for place in places])
    cells = np.empty((len(text), len(chosen)), dtype=object)
    cells[:] = text if text else cells
    return pd.DataFrame(cells, columns=chosen)
