"""How far two half maps agree: masked Fourier shell correlation, and resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.fourier.shells import fsc

if TYPE_CHECKING:
    from numpy.typing import NDArray

FSC_THRESHOLD: Final = 0.143
"""Correlation of half maps at which a map of all data agrees with the truth by 0.5.

Source: Rosenthal & Henderson 2003, doi:10.1016/j.jmb.2003.07.013.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Where a curve falls below the threshold.

    Attributes:
        resolution_a: in angstrom; that of Nyquist where the curve never falls.
        is_beyond_nyquist: whether it never falls, so that the resolution is better than this.
    """

    resolution_a: float
    is_beyond_nyquist: bool

    def __str__(self) -> str:
        return f"{'better than ' if self.is_beyond_nyquist else ''}{self.resolution_a:.2f} A"

    def drawn(self) -> str:
        """The same for pictures, which have the sign of the unit."""
        return str(self).replace(" A", " Å")


def masked_fsc(
    first: NDArray[np.floating], second: NDArray[np.floating], mask: NDArray[np.floating] | None
) -> NDArray[np.float64]:
    """(D/2 + 1,) FSC of two volumes times a mask; the volumes stay as they are."""
    if mask is None:
        return fsc(first, second)
    return fsc(first * mask, second * mask)


def spherical_mask(box_size_px: int, radius: float, edge: float = 0.1) -> NDArray[np.float32]:
    """(D, D, D) 1 in a sphere, falling to 0 along a cosine.

    Args:
        box_size_px: D.
        radius: where the edge begins, as a fraction of the half box.
        edge: its width, likewise.
    """
    axis = (np.arange(box_size_px) - box_size_px // 2) / (box_size_px / 2)
    distance = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    fallen = np.clip((distance - radius) / edge, 0, 1)
    return (0.5 * (1 + np.cos(np.pi * fallen))).astype(np.float32)


def resolution_at(
    curve: NDArray[np.float64], pixel_size_a: float, threshold: float = FSC_THRESHOLD
) -> Resolution:
    """Where a curve first falls below a threshold, between shells in proportion.

    Args:
        curve: (D/2 + 1,) correlation; DC is not looked at.
        pixel_size_a: of the maps.
        threshold: correlation to stay above.
    """
    box = 2 * (len(curve) - 1)
    below = np.flatnonzero(curve[1:] < threshold) + 1
    if not len(below):
        return Resolution(resolution_a=2 * pixel_size_a, is_beyond_nyquist=True)
    shell = float(below[0])
    if shell > 1:
        high, low = curve[below[0] - 1], curve[below[0]]
        shell -= float((threshold - low) / (high - low))
    return Resolution(resolution_a=box * pixel_size_a / shell, is_beyond_nyquist=False)
