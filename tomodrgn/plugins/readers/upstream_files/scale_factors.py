"""Scale factors of tilt images, ``rlnCtfScalefactor``: cosines of tilts, or scales from fits.

RELION can refine them. They are no cosines then: images of the untilted specimen may go above 1,
and steep ones slightly below 0, where noise is all that was fitted. 0 switches an image off.

Source:
    RELION 5 (doi:10.1039/D4FD00071D), as its CTF refinement writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.plugins.readers.upstream_files.bounds import refuse_rows

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

LARGEST_COSINE: Final = 1.01
"""Of a tilt as written; some programs round up."""
_LARGEST_SCALE: Final = 10.0


def refuse_scales(table: pd.DataFrame, column: str, path: Path, scale: NDArray[np.float64]) -> None:
    """Refuse numbers that are neither cosines of tilts nor refined scales.

    Args:
        table: rows as text or numbers.
        column: the column.
        path: the file, for errors.
        scale: (rows,) its numbers, NaN where there are none.

    Raises:
        DataError: one is larger than 10, or most are below 0.
    """
    fault = "neither the cosine of a tilt (0 to 1) nor the scale of an image"
    refuse_rows(table, column, path, np.abs(scale) > _LARGEST_SCALE, fault)
    is_negative = scale < 0
    if 2 * is_negative.sum() > np.count_nonzero(scale):
        fault = "below 0, as most are, and would invert the contrast of images; correct the sign"
        refuse_rows(table, column, path, is_negative, fault)


def are_refined(scale: NDArray[np.float64]) -> bool:
    """Whether scales, (rows,), cannot all be cosines of tilts."""
    return bool((scale > LARGEST_COSINE).any() or (scale < 0).any())
