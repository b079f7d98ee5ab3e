"""What a real-space window makes of a power spectrum: each coefficient leaks into its neighbors.

Without it the power where a contrast transfer function is zero would seem to speak against every
model of the noise.

Images that were filtered in a box of their own have the power of the filter at the frequencies of
that box. Images that were filtered in a larger box and then cropped have its mean over the
neighborhood of each frequency, weighted by the squared transform of the window; a box of twice the
edge holds every difference of two pixels of the window, so sums over its frequencies are that mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tomodrgn.core.fourier.disc import HalfPlaneDisc, half_plane_disc

if TYPE_CHECKING:
    from torch import Tensor


class WindowLeakage:
    """Expected power of windowed images, from that of images without a window.

    Attributes:
        disc: frequencies at which the power without a window is asked for; they are as many
            times finer than those of the images as the box of the filter is larger.
    """

    def __init__(self, window: Tensor, disc: HalfPlaneDisc, *, larger: int = 1) -> None:
        """Leakage through one window.

        Args:
            window: (D, D) what images were multiplied with.
            disc: frequencies of the images.
            larger: edge of the box in which images were filtered over that of the images, 1 or 2.
        """
        edge, box = disc.box_size_px, larger * disc.box_size_px
        self._box = box
        self.disc = disc if larger == 1 else half_plane_disc(box)
        padded = window.new_zeros(box, box)
        start = (box - edge) // 2
        padded[start : start + edge, start : start + edge] = window
        power = torch.fft.fft2(padded).abs().square()
        self._spread = torch.fft.rfft2(power / power.sum())
        kx, ky = torch.from_numpy(self.disc.k).T
        self._places = (ky % box) * box + kx % box
        self._opposite = (-ky % box) * box + -kx % box
        kx, ky = torch.from_numpy(larger * disc.k).T
        self._wanted = (ky % box) * box + kx % box
        self._known = self._convolved(torch.ones(1, len(self.disc)))

    def __call__(self, power: Tensor) -> Tensor:
        """(M, P) power after the window, scaled so that a flat spectrum stays as it is.

        Args:
            power: (M, P') power at the frequencies of :attr:`disc`.
        """
        return (self._convolved(power) / self._known).clamp_min(0)

    def _convolved(self, power: Tensor) -> Tensor:
        grid = power.new_zeros(len(power), self._box**2)
        grid[:, self._places] = power
        grid[:, self._opposite] = power
        square = torch.fft.rfft2(grid.view(-1, self._box, self._box)) * self._spread
        spread = torch.fft.irfft2(square, s=(self._box, self._box)).flatten(1)
        picked: Tensor = spread[:, self._wanted]
        return picked
