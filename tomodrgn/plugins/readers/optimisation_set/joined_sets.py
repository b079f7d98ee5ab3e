"""Sets that were joined: where particles of one tomogram come from two places.

A session that names its tomograms like another one loses its own tilt series where one tomograms
file is left of two. The folders of stacks show it: those of a tomogram lie in one, or in one for
each job of RELION that extracted particles of it.
"""

from __future__ import annotations

import logging
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from tomodrgn.plugins.readers.upstream_files import set_columns as columns

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

_RELION_JOB: Final = re.compile(r"(?<![^/])job\d+(?=/)")
_FEWEST_IN_FOLDER: Final = 2  # particles; fewer where each has a folder of its own


def say_joined_tomograms(table: pd.DataFrame, path: Path, tomograms_path: Path) -> None:
    """Warn of tomograms whose particles have stacks in two places.

    Args:
        table: particles with the columns of their tomograms and stacks.
        path: the particles file.
        tomograms_path: the file of their tilt series.
    """
    if columns.STACK not in table or table.empty:
        return
    tomogram, names = pd.factorize(table[columns.TOMOGRAM])
    folder, folders = pd.factorize(table[columns.STACK].str.rpartition("/")[0])
    pairs = pd.unique(tomogram.astype(np.int64) * len(folders) + folder)
    of_pair = pairs // len(folders)
    sources = pd.Series(
        [
            _source(str(folders[pair % len(folders)]), str(names[pair // len(folders)]))
            for pair in pairs.tolist()
        ]
    )
    n_sources = sources.groupby(of_pair).nunique().to_numpy()
    is_folder_of_many = n_sources * _FEWEST_IN_FOLDER <= np.bincount(tomogram)
    joined = np.flatnonzero((n_sources > 1) & is_folder_of_many)
    if not len(joined):
        return
    one, other, *_ = sources[of_pair == joined[0]].unique()
    logger.warning(
        "%s: particles of tomogram %s have stacks in %s and in %s (%d such tomogram%s), and all "
        "get the tilt series of that name in %s; if they are of two sessions, rename the tomograms "
        "of one in its particles and in its tomograms file, and join these files, too",
        path, names[joined[0]], one or ".", other or ".", len(joined), "s" * (len(joined) > 1),
        tomograms_path,
    )  # fmt: skip


def _source(folder: str, tomogram: str) -> str:
    """The part of a folder before the one of the tomogram, whichever job of RELION wrote it."""
    parts = _RELION_JOB.sub("job", folder + "/").strip("/").split("/")
    own = [place for place, part in enumerate(parts) if part in {tomogram, PurePath(tomogram).stem}]
    return "/".join(parts[: own[-1]] if own else parts)
