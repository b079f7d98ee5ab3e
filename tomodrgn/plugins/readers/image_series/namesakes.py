"""Two particles of one name: where sessions were joined whose tomograms and particles share names.

The images of a particle are one exposure each and lie in one stack, in one stack for each exposure,
or in a few where stacks are cut at some size. So a name whose exposures come twice, from two
stacks, names two particles.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.plugins.readers.image_series.row_codes import (
    combined_codes,
    exposure_codes,
    has_doses,
    n_pairs,
    stack_codes,
    tilt_codes,
)
from tomodrgn.plugins.readers.upstream_files import warp_columns as columns
from tomodrgn.plugins.readers.upstream_files.stack_sources import JOIN_BY_STACK

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ImageTable
    from tomodrgn.plugins.readers.image_series.row_names import RowNames

logger = logging.getLogger(__name__)

_MOST_WITHOUT_SIGN: Final = 2  # images of a tilt: +3 and -3 degrees look alike
_MANY: Final = 0.25  # of the images of a name


class Namesakes(NamedTuple):
    """Names that stand for two particles.

    Attributes:
        ranks: (n,) ranks of the names.
        rows: two rows of the first of them, of two stacks.
    """

    ranks: NDArray[np.int64]
    rows: tuple[int, int]


def refuse_namesakes(
    named: RowNames, table: pd.DataFrame, particle_column: str, path: Path
) -> None:
    """Refuse a file in which one name stands for particles of two stacks.

    Args:
        named: the particle of each row.
        table: the columns of images and exposures of all rows.
        particle_column: the column that names the particle.
        path: the file, for errors.

    Raises:
        DataError: it does; both stacks are named.
    """
    found = find_namesakes(named, table)
    if not len(found.ranks):
        return
    here, there = found.rows
    stacks = [str(table[columns.IMAGE].iloc[row]).rpartition("@")[2] for row in found.rows]
    tomogram = f" of tomogram {named.tomogram[here]}" if named.tomogram[here] else ""
    n_such = len(found.ranks)
    raise DataError(
        f"{path}: {named.particle[here]}{tomogram} names two particles: rows {here + 1} and "
        f"{there + 1} are of {stacks[0]} and {stacks[1]}, with the same "
        f"exposures ({n_such} such name{'s' * (n_such > 1)}), as where sessions of equal names "
        f"were joined; rename the tomograms of one session ({columns.TOMOGRAM}; where that names "
        f"tilt images or is not there, {particle_column}), or tell them apart by the folders of "
        f"their stacks ({JOIN_BY_STACK})"
    )


def find_namesakes(named: RowNames, table: pd.DataFrame) -> Namesakes:
    """Names whose exposures come twice, from two stacks.

    Args:
        named: the particle of each row.
        table: the columns of images and exposures of all rows.
    """
    none = Namesakes(np.empty(0, dtype=np.int64), (0, 0))
    if table.empty:
        return none
    stack, _ = stack_codes(table[columns.IMAGE].to_numpy(dtype=object))
    rank = named.rank
    if n_pairs(rank, stack) == rank.max() + 1:  # one stack each
        return none
    first = np.empty(int(rank.max()) + 1, dtype=np.int64)
    first[rank[::-1]] = stack[::-1]
    many = np.unique(rank[stack != first[rank]])  # particles of two stacks or more
    rows = np.flatnonzero(np.isin(rank, many))
    clashing = _clashing(table.iloc[rows], rank[rows], stack[rows])
    n_clashing = np.bincount(rank[rows[clashing]], minlength=len(first))
    twice = (n_clashing > _MANY * np.bincount(rank)) & (n_clashing > 1)
    if not twice.any():
        return none
    ours = rows[rank[rows] == np.argmax(twice)]
    there = ours[np.argmax(stack[ours] != stack[ours[0]])]
    return Namesakes(np.flatnonzero(twice), (int(ours[0]), int(there)))


def say_equal_exposures(
    named: RowNames, images: ImageTable[NDArray[Any]], rows: NDArray[np.int64], path: Path
) -> None:
    """Warn of particles with two images of one exposure, where doses tell exposures apart.

    Args:
        named: the particle of each row.
        images: the numbers of each row.
        rows: (M,) those that are used, by particle, then by dose and tilt.
        path: the file, for the log.
    """
    dose, tilt, rank = images.dose_e_per_a2[rows], images.tilt_deg[rows], named.rank[rows]
    if not len(rows) or dose.min() == dose.max():
        return
    again = (np.diff(rank) == 0) & (np.diff(dose) == 0) & (np.diff(tilt) == 0)
    if not again.any():
        return
    place = int(np.argmax(again))
    first, second = sorted(rows[place : place + 2] + 1)
    logger.warning(
        "%s: %d images have the dose and tilt of another of their particle, such as rows %d and "
        "%d of %s; an exposure has one image of a particle: check that the name stands for one "
        "particle, and that doses are those of the images",
        path, again.sum(), first, second, named.particle[first - 1],
    )  # fmt: skip


def _clashing(
    table: pd.DataFrame, rank: NDArray[np.int64], stack: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(rows,) whether an exposure of a particle is there again in another stack."""
    has_signs = not set(columns.STAGE_TILTS).isdisjoint(table.columns)
    most = 1 if has_signs else _MOST_WITHOUT_SIGN
    clashes = _shared_by_stacks(combined_codes(rank, tilt_codes(table)), stack, most)
    if has_doses(table):
        clashes |= _shared_by_stacks(combined_codes(rank, exposure_codes(table)), stack, 1)
    return clashes


def _shared_by_stacks(
    key: NDArray[np.int64], stack: NDArray[np.int64], most: int
) -> NDArray[np.bool_]:
    """(rows,) whether a key has more rows than it may, from several stacks."""
    of_key = pd.Series(stack).groupby(key)
    shared = (of_key.size() > most) & (of_key.nunique() > 1)
    return np.asarray(shared.to_numpy()[key], dtype=bool)
