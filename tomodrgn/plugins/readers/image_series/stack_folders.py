"""Tomograms told apart by the folders of their stacks, where the user asks for it.

So sessions that were joined under equal names can be read as they are. The folder becomes part of
the name of the tomogram. A particle whose exposures lie in several folders, each of them once, is
one particle all the same.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.plugins.readers.image_series.namesakes import find_namesakes
from tomodrgn.plugins.readers.image_series.row_codes import (
    combined_codes,
    first_rows,
    stack_codes,
)
from tomodrgn.plugins.readers.upstream_files import warp_columns as columns
from tomodrgn.plugins.readers.upstream_files.stack_sources import (
    FEWEST_IN_FOLDER,
    JOIN_BY_STACK,
    stack_source,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.plugins.readers.image_series.row_names import RowNames

logger = logging.getLogger(__name__)


def apart_by_folder(named: RowNames, table: pd.DataFrame, path: Path) -> RowNames:
    """Names in which the folder of stacks is part of the tomogram, where there are several.

    Args:
        named: the particle of each row.
        table: the columns of images and exposures of all rows.
        path: the file, for errors and the log.

    Raises:
        DataError: each particle has a folder of its own, which tells no sessions apart.
    """
    source, sources = _sources(named, table)
    of_first = source[first_rows(named.rank)]
    is_two = np.zeros(len(of_first), dtype=np.bool_)
    is_two[find_namesakes(named, table).ranks] = True
    source = np.where(is_two[named.rank], source, of_first[named.rank])
    used = pd.unique(source)
    if len(used) == 1:
        return named
    rank = combined_codes(named.rank, source)
    n_particles = int(rank.max()) + 1
    if len(used) * FEWEST_IN_FOLDER > n_particles:
        raise DataError(
            f"{path}: its {n_particles} particles have stacks in {len(used)} folders, which tell "
            f"no sessions apart; leave out {JOIN_BY_STACK}, or rename the tomograms of one session"
        )
    tomogram = named.tomogram.copy()
    pair, pairs = pd.factorize(combined_codes(tomogram, source))
    at = first_rows(pair)
    of_pair = [_joined(sources[source[row]], str(tomogram[row])) for row in at.tolist()]
    tomogram = np.array(of_pair, dtype=object)[pair]
    logger.info(
        "%s: tomograms are told apart by the folder of their stacks, such as %s: %d tomograms in "
        "%d folders (%s)",
        path, tomogram[0], len(pairs), len(used), JOIN_BY_STACK,
    )  # fmt: skip
    return replace(named, tomogram=tomogram, rank=rank)


def _joined(source: str, tomogram: str) -> str:
    return "/".join(part for part in (source, tomogram) if part)


def _sources(named: RowNames, table: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """(rows,) code of where the stack of each row lies, and the folders."""
    stack, stacks = stack_codes(table[columns.IMAGE].to_numpy(dtype=object))
    pair = combined_codes(stack, named.tomogram)
    of_pair = [
        stack_source(str(stacks[stack[row]]).rpartition("/")[0], str(named.tomogram[row]))
        for row in first_rows(pair).tolist()
    ]
    source, sources = pd.factorize(np.array(of_pair, dtype=object))
    return source[pair].astype(np.int64), np.asarray(sources, dtype=object)
