"""Sets that were joined: where particles of one tomogram come from two places.

A session that names its tomograms like another one loses its own tilt series where one tomograms
file is left of two. The folders of stacks show it: those of a tomogram lie in one, or in one for
each job of RELION that extracted particles of it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.plugins.readers.upstream_files import set_columns as columns
from tomodrgn.plugins.readers.upstream_files.stack_sources import (
    FEWEST_IN_FOLDER,
    JOIN_BY_NAME,
    JOIN_BY_STACK,
    stack_source,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.plugins.readers.specs import JoinBy

logger = logging.getLogger(__name__)


def refuse_joined_tomograms(
    table: pd.DataFrame, path: Path, tomograms_path: Path, join_by: JoinBy
) -> None:
    """Refuse tomograms whose particles have stacks in two places, unless they are said to be one.

    Args:
        table: particles with the columns of their tomograms and stacks.
        path: the particles file.
        tomograms_path: the file of their tilt series.
        join_by: what the user says.

    Raises:
        DataError: there are such tomograms; two stacks of one are named.
    """
    if columns.STACK not in table or table.empty:
        return
    tomogram, names = pd.factorize(table[columns.TOMOGRAM])
    source = _sources(table, tomogram, names)
    n_sources = pd.Series(source).groupby(tomogram).nunique().to_numpy()
    is_folder_of_many = n_sources * FEWEST_IN_FOLDER <= np.bincount(tomogram)
    joined = np.flatnonzero((n_sources > 1) & is_folder_of_many)
    if not len(joined):
        return
    ours = np.flatnonzero(tomogram == joined[0])
    here = ours[0]
    there = ours[np.argmax(source[ours] != source[here])]
    stacks = table[columns.STACK]
    many = f"{len(joined)} such tomogram{'s' * (len(joined) > 1)}"
    seen = (
        f"{path}: particles of tomogram {names[joined[0]]} have stacks in two places: rows "
        f"{here + 1} and {there + 1} are of {stacks.iloc[here]} and {stacks.iloc[there]} ({many})"
    )
    if join_by == "name":
        logger.info("%s; they are taken to be of one tomogram (%s)", seen, JOIN_BY_NAME)
        return
    lead = "as where sessions of equal names were joined; all get the tilt series of that name in"
    if join_by == "stack":
        lead = f"which {JOIN_BY_STACK} cannot tell apart, as tilt series are found by name in"
    raise DataError(
        f"{seen}, {lead} {tomograms_path}; rename the tomograms of one session in its particles "
        f"and in its tomograms file, and join these files, too. If they are one tomogram, "
        f"extracted to two places, say so with {JOIN_BY_NAME}"
    )


def _sources(
    table: pd.DataFrame, tomogram: NDArray[np.int64], names: pd.Index[str]
) -> NDArray[np.int64]:
    """(B,) code of where the stack of each particle lies."""
    folder, folders = pd.factorize(table[columns.STACK].str.rpartition("/")[0])
    pair, pairs = pd.factorize(tomogram.astype(np.int64) * len(folders) + folder)
    of_pair = [
        stack_source(str(folders[each % len(folders)]), str(names[each // len(folders)]))
        for each in pairs.tolist()
    ]
    source, _ = pd.factorize(np.array(of_pair, dtype=object))
    return np.asarray(source[pair], dtype=np.int64)
