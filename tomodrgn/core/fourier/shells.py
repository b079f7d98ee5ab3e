"""Shells and the Fourier shell correlation: shell b holds b - 1 < r <= b, in Fourier pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def shell_indices(radius_px: NDArray[np.floating]) -> NDArray[np.int64]:
    """(n,) shell of each radius in px; 0 is DC alone."""
    return np.ceil(np.round(radius_px, 9)).astype(np.int64)


def fsc(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Correlation of two volumes in shells 0 to D/2.

    Args:
        first: (D, D, D).
        second: same shape.

    Returns:
        (D/2 + 1,) float64; 0 where a shell of either volume is empty.

    Raises:
        DataError: the shapes differ.

    Source:
        Harauz & van Heel 1986; shells as in :mod:`tomodrgn.core.fourier.shells`.
    """
    if first.shape != second.shape:
        raise DataError(f"FSC needs equal boxes, found {first.shape} and {second.shape}")
    box = first.shape[-1]
    axis = np.fft.fftfreq(box, 1 / box)
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis**2)
    shells = shell_indices(radius).ravel()
    inside = shells <= box // 2
    a = np.fft.fftn(first.astype(np.float64)).ravel()[inside]
    b = np.fft.fftn(second.astype(np.float64)).ravel()[inside]
    shells = shells[inside]

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.bincount(shells, weights=values, minlength=box // 2 + 1)
        return sums.astype(np.float64)

    cross = total((a * b.conj()).real)
    norm = np.sqrt(total(np.abs(a) ** 2) * total(np.abs(b) ** 2))
    return np.divide(cross, norm, out=np.zeros_like(cross), where=norm > 0)
