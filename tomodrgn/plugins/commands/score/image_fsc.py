"""Fourier shell correlation of the volume decoded for a particle with its own true volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.fourier.shells import fsc

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_AREA: Final = 0.5
"""Area under a correlation of 1 up to Nyquist, in cycles per pixel."""


def area_under_fsc(decoded: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Area under the correlation from 0 to Nyquist, in cycles per pixel: 0.5 for equal volumes.

    Volumes are (D, D, D). No mask is used. The mean of a volume, which no image records, counts as
    right.

    Source:
        Jeon et al. 2024, CryoBench (per-image FSC and its area under the curve).
    """
    curve = fsc(decoded, true)
    curve[0] = 1
    return float(np.trapezoid(curve, dx=1 / len(decoded)))
