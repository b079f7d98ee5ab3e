"""How completely and how evenly the views of a particle set cover Fourier space.

An image covers a plane through the origin. Directions are spread evenly over the sphere, and for
each it is counted how many planes pass within half a Fourier pixel of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_N_DIRECTIONS: Final = 1500
_VALUES_AT_ONCE: Final = 2**23
_GOLDEN_ANGLE: Final = np.pi * (3 - 5**0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Coverage of a shell of Fourier space.

    Attributes:
        covered: part of all directions that at least one image sees.
        evenness: harmonic over arithmetic mean of the number of images over the covered
            directions; 1 if all are seen equally often.
    """

    covered: float
    evenness: float


def angular_coverage(rotation: NDArray[np.float32], radius_px: float) -> Coverage:
    """How M images cover a shell.

    Args:
        rotation: (M, 3, 3) reference to image coordinates.
        radius_px: radius of the shell in Fourier pixels.

    Source:
        The harmonic mean of the sampling decides how noise grows: Baldwin & Lyumkis 2020,
        doi:10.1016/j.pbiomolbio.2019.09.002.
    """
    directions = _even_directions()
    reach = min(1.0, 0.5 / max(radius_px, 1e-9))
    seen = np.zeros(len(directions))
    at_once = _VALUES_AT_ONCE // len(directions)
    for first in range(0, len(rotation), at_once):
        beam = rotation[first : first + at_once, 2]  # what the image is a projection along
        seen += (np.abs(directions @ beam.T) <= reach).sum(axis=1)
    is_seen = seen > 0
    if not is_seen.any():
        return Coverage(covered=0.0, evenness=0.0)
    harmonic = 1 / np.mean(1 / seen[is_seen])
    return Coverage(covered=float(is_seen.mean()), evenness=float(harmonic / seen[is_seen].mean()))


def _even_directions() -> NDArray[np.float32]:
    """(N, 3) unit vectors on a half sphere, on a spiral (Fibonacci lattice)."""
    place = np.arange(_N_DIRECTIONS)
    z = (place + 0.5) / _N_DIRECTIONS
    angle = place * _GOLDEN_ANGLE
    flat = np.sqrt(1 - z**2)
    return np.stack([flat * np.cos(angle), flat * np.sin(angle), z], axis=1).astype(np.float32)
