"""What a real-space window makes of a power spectrum: each coefficient leaks into its neighbours.

Without it the power where a contrast transfer function is zero would seem to speak against every
model of the noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch.nn.functional import conv2d

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc

_REACH: Final = 3
"""Neighbours to either side; the rest of a soft window's leakage is below a thousandth."""


class WindowLeakage:
    """Expected power of windowed images, from that of images without a window."""

    def __init__(self, window: Tensor, disc: HalfPlaneDisc) -> None:
        self._kernel = _kernel(window)
        self._box = disc.box_size_px
        k = np.concatenate([disc.k, -disc.k])
        half = self._box // 2
        self._places = torch.from_numpy((k[:, 1] + half) * self._box + k[:, 0] + half)
        self._known = self._convolved(torch.ones(1, len(disc)))

    def __call__(self, power: Tensor) -> Tensor:
        """(M, P) power after the window, scaled so that a flat spectrum stays as it is."""
        return self._convolved(power) / self._known

    def _convolved(self, power: Tensor) -> Tensor:
        grid = power.new_zeros(len(power), self._box**2)
        grid[:, self._places] = torch.cat([power, power], dim=1)
        square = grid.view(-1, 1, self._box, self._box)
        spread = conv2d(square, self._kernel, padding=_REACH).reshape(len(power), -1)
        picked: Tensor = spread[:, self._places[: power.shape[1]]]
        return picked


def _kernel(window: Tensor) -> Tensor:
    """(1, 1, 7, 7) power of the transform of a window near its centre, adding up to 1."""
    power = torch.fft.fftshift(torch.fft.fft2(window).abs().square())
    middle = len(window) // 2
    near = slice(middle - _REACH, middle + _REACH + 1)
    kernel = power[near, near]
    normalised: Tensor = kernel / kernel.sum()
    return normalised[None, None]
