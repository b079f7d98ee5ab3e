"""Half sets of upstream refinement, from a column that counts them as 1 and 2."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


def half_sets(
    labels: NDArray[np.object_], starts: NDArray[np.int64], path: Path
) -> NDArray[np.uint8] | None:
    """(B,) half set of each particle: 1, 2, or 0 for neither; None where no particle has one.

    Particles of which images are in different half sets are in neither.

    Args:
        labels: (M,) what the file says, as text, packed by particle.
        starts: (B,) first label of each particle.
        path: the file, for the warning.
    """
    numbers = pd.to_numeric(pd.Series(labels), errors="coerce").to_numpy(dtype=np.float64)
    halves = np.where(np.isin(numbers, (1, 2)), numbers, 0).astype(np.uint8)
    if not halves.any():
        return None
    lowest, highest = np.minimum.reduceat(halves, starts), np.maximum.reduceat(halves, starts)
    n_split = int((lowest != highest).sum())
    if n_split:
        logger.warning(
            "%s: images of %d of %d particles are in different half sets; these particles are "
            "taken to be in neither", path, n_split, len(starts),
        )  # fmt: skip
    agreed: NDArray[np.uint8] = np.where(lowest == highest, lowest, 0).astype(np.uint8)
    return agreed if agreed.any() else None
