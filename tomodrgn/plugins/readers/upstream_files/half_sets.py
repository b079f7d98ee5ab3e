"""Half sets of upstream refinement and filaments, from their columns of a STAR file."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tomodrgn.core.particles.half_sets import NO_NUMBER, SEVERAL
from tomodrgn.core.particles.keyed_random import join_keys, particle_keys, text_keys
from tomodrgn.plugins.readers.upstream_files.set_columns import FILAMENT

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


def half_sets(
    labels: NDArray[np.object_], starts: NDArray[np.int64], path: Path
) -> NDArray[np.uint8]:
    """(B,) half set of each particle: 1 or 2, any other number for neither.

    Particles of which images are in different half sets are in neither.

    Args:
        labels: (M,) what the file says, as text, packed by particle.
        starts: (B,) first label of each particle.
        path: the file, for the warning.
    """
    numbers = pd.to_numeric(pd.Series(labels), errors="coerce").to_numpy(dtype=np.float64)
    is_number = (numbers >= 0) & (numbers < SEVERAL) & (numbers == np.floor(numbers))
    halves = np.where(is_number, numbers, NO_NUMBER).astype(np.uint8)
    lowest, highest = np.minimum.reduceat(halves, starts), np.maximum.reduceat(halves, starts)
    n_split = int((lowest != highest).sum())
    if n_split:
        logger.warning(
            "%s: images of %d of %d particles are in different half sets; these particles are "
            "taken to be in neither", path, n_split, len(starts),
        )  # fmt: skip
    agreed: NDArray[np.uint8] = np.where(lowest == highest, lowest, SEVERAL).astype(np.uint8)
    return agreed


def row_half_sets(table: pd.DataFrame, column: str, path: Path) -> NDArray[np.uint8] | None:
    """(rows,) half sets, None where the file has none."""
    if column not in table:
        return None
    labels = table[column].to_numpy(dtype=object)
    return half_sets(labels, np.arange(len(labels)), path)


def filament_keys(
    table: pd.DataFrame,
    rows: NDArray[np.int64] | slice,
    tomogram: NDArray[np.object_],
    name: NDArray[np.object_],
) -> NDArray[np.uint64] | None:
    """(B,) key of the filament of each particle, None where the file names none.

    Filaments are numbered from 1 in each tomogram; a particle with another number, as of no
    filament, has a key of its own.

    Args:
        table: rows as text.
        rows: the row of each particle.
        tomogram: (B,) tomogram names.
        name: (B,) particle names.
    """
    if FILAMENT not in table:
        return None
    labels = table[FILAMENT].iloc[rows]
    numbers = pd.to_numeric(labels, errors="coerce").to_numpy(dtype=np.float64)
    own = particle_keys(tomogram, name)
    if not (numbers > 0).any():
        return None
    text = "filament " + pd.Series(np.nan_to_num(numbers)).astype(np.int64).astype(str)
    shared = join_keys(text_keys(tomogram), text_keys(text.to_numpy(dtype=object)))
    return np.where(numbers > 0, shared, own)
