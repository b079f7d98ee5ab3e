"""What a real-space window makes of a power spectrum: each coefficient leaks into its neighbours.

Without it the power where a contrast transfer function is zero would seem to speak against every
model of the noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc


class WindowLeakage:
    """Expected power of windowed images, from that of images without a window."""

    def __init__(self, window: Tensor, disc: HalfPlaneDisc) -> None:
        box = self._box = disc.box_size_px
        power = torch.fft.fft2(window).abs().square()
        self._spread = torch.fft.rfft2(power / power.sum())
        kx, ky = torch.from_numpy(disc.k).T
        self._places = (ky % box) * box + kx % box
        self._opposite = (-ky % box) * box + -kx % box
        self._known = self._convolved(torch.ones(1, len(disc)))

    def __call__(self, power: Tensor) -> Tensor:
        """(M, P) power after the window, scaled so that a flat spectrum stays as it is."""
        return (self._convolved(power) / self._known).clamp_min(0)

    def _convolved(self, power: Tensor) -> Tensor:
        grid = power.new_zeros(len(power), self._box**2)
        grid[:, self._places] = power
        grid[:, self._opposite] = power
        square = torch.fft.rfft2(grid.view(-1, self._box, self._box)) * self._spread
        spread = torch.fft.irfft2(square, s=(self._box, self._box)).flatten(1)
        picked: Tensor = spread[:, self._places]
        return picked
