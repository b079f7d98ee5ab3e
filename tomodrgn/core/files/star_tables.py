"""Which table of a STAR file is meant where several could be.

Files are joined by hand, and scripts leave older tables in them; the first one that fits is then
not always the one that is meant.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tomodrgn.core.files.star import StarBlock, StarFile

logger = logging.getLogger(__name__)

_WAY_OUT: Final = "keep the one that is meant, or join their rows in one table"


def the_one_table(
    star: StarFile, candidates: Sequence[StarBlock], what: str, way_out: str = _WAY_OUT
) -> StarBlock:
    """The table that is meant; the first one where all hold the same rows, which the log says.

    Args:
        star: the file.
        candidates: its tables that could be, at least one.
        what: of what they are tables, for the error.
        way_out: what the user can do about tables that differ, for the error.

    Raises:
        DataError: they differ; it names them and says how many rows they have.
    """
    first, *others = candidates
    for other in others:
        if not _are_alike(star, first, other):
            names = " and ".join(
                f"data_{block.name} ({len(star.read(block, block.columns[:1]))} rows)"
                for block in (first, other)
            )
            raise DataError(
                f"{star.path}: has two tables of {what} that differ, {names}; {way_out}"
            )
    if others:
        _say_once(
            f"{star.path}: has {len(candidates)} tables of {what} with the same rows; "
            f"data_{first.name} is taken, data_{others[0].name} is passed over"
        )
    return first


def table_with(star: StarFile, column: str, what: str) -> StarBlock:
    """The table that has a column, as :func:`the_one_table` chooses it.

    Raises:
        DataError: there is none, or there are two that differ.
    """
    fitting = [block for block in star.tables if column in block.columns]
    return the_one_table(star, fitting or [star.table_with(column)], what)


def _are_alike(star: StarFile, one: StarBlock, other: StarBlock) -> bool:
    if set(one.columns) != set(other.columns):
        return False
    first, second = star.read(one), star.read(other)
    return first.equals(second[list(first.columns)])


@lru_cache(maxsize=64)
def _say_once(message: str) -> None:
    """A message that a file deserves once, however often it is opened."""
    logger.warning("%s", message)
