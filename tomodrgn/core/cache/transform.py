"""From pixels to the coefficients that a cache holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.fourier.disc import HalfPlaneDisc, half_plane_disc, images_to_disc, shift_phases
from tomodrgn.core.physics.windows import circular_window

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.specs.dataset import PreparationSpec


@dataclass(frozen=True, slots=True, eq=False)
class PreparationTransform:
    """Window, transform and centring of images of one box."""

    disc: HalfPlaneDisc
    window: Tensor | None

    def __call__(self, images: NDArray[np.float32], shift_px: NDArray[np.float32]) -> Tensor:
        """(M, D, D) pixels and the (M, 2) shifts that center them, to (M, P, 2) float32."""
        pixels = torch.from_numpy(_writable(images))
        if self.window is not None:
            pixels = pixels * self.window
        spectra = torch.view_as_complex(images_to_disc(pixels, self.disc))  # (M, P)
        freqs = torch.from_numpy(self.disc.freqs())
        return torch.view_as_real(
            spectra * shift_phases(freqs, torch.from_numpy(_writable(shift_px)))
        )


def build_transform(preparation: PreparationSpec, box_size_px: int) -> PreparationTransform:
    """The transform that a preparation spec asks for."""
    window = None
    if preparation.window:
        inner, outer = preparation.window_r, preparation.window_r_outer
        window = circular_window(box_size_px, inner=inner, outer=outer)
    return PreparationTransform(half_plane_disc(box_size_px, preparation.l_extent), window)


def _writable(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """The array as torch wants it: contiguous float32 that may be written to."""
    return np.require(array, np.float32, ["C", "W"])
