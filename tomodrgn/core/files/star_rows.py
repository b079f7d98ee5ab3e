"""Rows of a STAR table as text: fast where lines are plain, exact where they are not.

A row is a line with values between spaces or tabs; a value with a space in it is in single or
double quotes. A value that would begin with ``#`` is a comment, with all that follows it. Blank
lines and lines that begin with ``#`` are no rows. Every step takes time in proportion to the bytes,
whatever they are.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

_FEW_BYTES: Final = 1 << 14  # are read faster without pandas
_PART_BYTES: Final = 1 << 22  # of a table are parsed at a time
_OPENING_QUOTE: Final = re.compile(rb"""(?<!\S)["']""")
_CLOSING_QUOTE: Final = {
    b"'": re.compile(rb"'(?!\S)"),
    b'"': re.compile(rb'"(?!\S)'),
}
"""A quote inside a value, as in ``5'-end``, neither opens nor closes one."""
_BARE: Final = re.compile(rb"\S+")
_COMMENT: Final = re.compile(rb"(?<!\S)#[^\r\n]*")
_COMMENT_LINE: Final = re.compile(rb"^[ \t]*#[^\r\n]*", re.MULTILINE)


class RaggedRowsError(DataError):
    """A row has not one value for each column; the message says which, not in which file."""


def is_row(line: bytes) -> bool:
    """Whether a line holds values, that is, neither nothing nor a comment."""
    return not line.isspace() and line != b"" and not line.lstrip().startswith(b"#")


def split_row(line: bytes) -> list[bytes]:
    """Values of a line, without their quotes and without a comment."""
    if _has_quoted_values(line):
        return list(_quoted_values(line))
    return (_COMMENT.sub(b"", line) if b"#" in line else line).split()


def value_spans(line: bytes) -> list[tuple[int, int]]:
    """Where each value of a line begins and ends, with its quotes."""
    if b"#" not in line and not _has_quoted_values(line):
        return [bare.span() for bare in _BARE.finditer(line)]
    spans, place, unclosed = [], 0, set[bytes]()
    while (bare := _BARE.search(line, place)) and not bare.group().startswith(b"#"):
        closing = _closing_quote(line, bare, unclosed)
        place = closing.end() if closing else bare.end()
        spans.append((bare.start(), place))
    return spans


def parse_rows(
    content: bytes,
    columns: Sequence[str],
    wanted: Collection[str] | None = None,
    *,
    numbers: Collection[str] = (),
    start: int = 0,
    stop: int | None = None,
) -> pd.DataFrame:
    """Rows of a table as text, or as numbers where these are asked for.

    Some megabytes are read at a time, so that only values that stay text take memory for long.

    Args:
        content: the lines below the header of a table, or a file that holds them.
        columns: names of all columns of the table.
        wanted: names of the columns to return, all by default.
        numbers: columns that hold numbers.
        start: offset of the first line.
        stop: offset behind the last line, by default the end.

    Returns:
        One ``object`` column of strings for each wanted column, in the order of the table. Those of
        ``numbers`` may be float64 instead, or hold floats beside strings where not all are finite.

    Raises:
        RaggedRowsError: a row has too few or too many values.
        UnicodeDecodeError: a value is not UTF-8.
    """
    stop = len(content) if stop is None else stop
    most_rows = 1 + sum(content.count(end, start, stop) for end in (b"\n", b"\r"))
    chosen = [name for name in columns if wanted is None or name in wanted]
    numeric = [name for name in chosen if name in numbers]
    values: dict[str, NDArray[Any]] = {
        name: np.empty(most_rows, dtype=np.float64 if name in numbers else object)
        for name in chosen
    }
    n_rows = 0
    for lines in _parts(content, start, stop):
        table = _parse_part(lines, list(columns), chosen, numeric, n_before=n_rows)
        rows = slice(n_rows, n_rows + len(table))
        n_rows = rows.stop
        for name in chosen:
            piece = table[name].to_numpy()
            if piece.dtype == object and values[name].dtype != object:
                values[name] = values[name].astype(object)
            values[name][rows] = piece
    return _table({name: column[:n_rows] for name, column in values.items()}, n_rows)


def _has_quoted_values(text: bytes) -> bool:
    has_quotes = b"'" in text or b'"' in text  # rules out most text, and faster
    return has_quotes and _OPENING_QUOTE.search(text) is not None


def _quoted_values(line: bytes) -> Iterator[bytes]:
    """Values of a line of which some begin with a quote; one that is never closed is no quote."""
    place, unclosed = 0, set[bytes]()
    while (bare := _BARE.search(line, place)) and not bare.group().startswith(b"#"):
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


def _parts(content: bytes, start: int, stop: int) -> Iterator[bytes]:
    """Whole lines between two offsets, some megabytes at a time; at least one part."""
    while True:
        end = content.find(b"\n", min(start + _PART_BYTES, stop), stop) + 1 or stop
        yield content[start:end]
        start = end
        if start >= stop:
            return


def _table(columns: Mapping[str, NDArray[Any]], n_rows: int) -> pd.DataFrame:
    """Columns as they are: not copied, and text not taken for more than objects."""
    series = {name: pd.Series(each, dtype=each.dtype, copy=False) for name, each in columns.items()}
    return pd.DataFrame(series, index=pd.RangeIndex(n_rows), copy=False)


def _parse_part(
    rows: bytes, columns: list[str], chosen: list[str], numeric: list[str], *, n_before: int
) -> pd.DataFrame:
    """Some rows of a table, with ``n_before`` rows before them."""
    if b"#" in rows:
        rows = _COMMENT_LINE.sub(b"", rows)
    if b"#" in rows and not _has_quoted_values(rows):
        rows = _COMMENT.sub(b"", rows)
    rows = rows.lstrip()
    is_long = len(rows) > _FEW_BYTES
    table = _parse_plain_rows(rows, columns, numeric) if is_long else None
    return _parse_any_rows(rows, columns, chosen, n_before) if table is None else table[chosen]


def _parse_plain_rows(rows: bytes, columns: list[str], numeric: list[str]) -> pd.DataFrame | None:
    """Rows by the parser of pandas; None where it may be wrong.

    It pads short rows with empty values, takes surplus values of the first row for an index, and
    has other rules for quotes.
    """
    first_row = rows[: rows.find(b"\n") + 1] or rows
    if len(split_row(first_row)) != len(columns) or _has_quoted_values(rows):
        return None
    try:
        table = _parse_numbers(rows, columns, numeric) if numeric else None
        table = _read_csv(rows, columns) if table is None else table
    except pd.errors.ParserError:
        return None
    return None if (table[columns[-1]] == "").any() else table


def _parse_numbers(rows: bytes, columns: list[str], numeric: list[str]) -> pd.DataFrame | None:
    """Rows with numbers in some columns; None where one is not finite."""
    try:
        table = _read_csv(rows, columns, dict.fromkeys(numeric, np.float64))
    except (pd.errors.ParserError, UnicodeDecodeError):
        raise
    except ValueError:
        return None
    return table if np.isfinite(table[numeric].to_numpy()).all() else None


def _read_csv(
    rows: bytes, columns: list[str], dtypes: Mapping[str, type] | None = None
) -> pd.DataFrame:
    """Values between white space, as text unless a type is given."""
    return pd.read_csv(
        io.BytesIO(rows), sep=r"\s+", header=None, names=columns, index_col=False,
        quoting=csv.QUOTE_NONE, dtype=dict.fromkeys(columns, object) | dict(dtypes or {}),
        na_filter=False, keep_default_na=False,
    )  # fmt: skip


def _parse_any_rows(
    rows: bytes, columns: list[str], chosen: list[str], n_before: int
) -> pd.DataFrame:
    """Rows one by one: slow, exact, and able to say which one is ragged."""
    rows.decode()  # also in columns that are not wanted
    places = [columns.index(name) for name in chosen]
    text: list[list[str]] = []
    for line in filter(is_row, rows.splitlines()):
        values = split_row(line)
        if len(values) != len(columns):
            raise RaggedRowsError(
                f"row {n_before + len(text) + 1} has {len(values)} values for "
                f"{len(columns)} columns{_why_ragged(line, columns)}"
            )
        text.append([values[place].decode() for place in places])
    cells = np.empty((len(text), len(chosen)), dtype=object)
    cells[:] = text if text else cells
    return _table(dict(zip(chosen, cells.T, strict=True)), len(text))


def _why_ragged(line: bytes, columns: Sequence[str]) -> str:
    """What a row with too few or too many values may suffer from, where that shows."""
    body = line.rstrip(b"\r\n")
    between_tabs = body.split(b"\t")
    empty = [name for name, text in zip(columns, between_tabs, strict=False) if not text.strip()]
    if len(between_tabs) == len(columns) and empty:
        return f"; column {empty[0]} is empty"
    if len(body.split(b",")) == len(columns):
        return "; they are separated by commas, which spaces or tabs must do"
    if re.search(rb"\[[^\]\s]*\s", body) and not _has_quoted_values(body):
        return "; a list in brackets has spaces in it, and needs quotes around it"
    return ""
