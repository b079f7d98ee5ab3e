"""Central slices of a map, anywhere in Fourier space: the counterpart of insertion.

The transform is finer than that of the map and interpolated along each axis, which multiplies the
map by a squared sinc; the map is divided by it beforehand. What is left of the error falls with the
square of the fineness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch.nn.functional import grid_sample, pad

from tomodrgn.core.fourier.volumes import centred_fft3

if TYPE_CHECKING:
    from torch import Tensor

_FINE: Final = 4
_COARSE: Final = 2
_LARGEST_FINE_BOX_PX: Final = 96
"""Transforms of larger maps would fill the memory."""


class MapSlices:
    """Fourier coefficients of a map (D, D, D), on the device of the map."""

    def __init__(self, volume: Tensor) -> None:
        box = len(volume)
        fineness = _FINE if box <= _LARGEST_FINE_BOX_PX else _COARSE
        axis = (torch.arange(box, device=volume.device) - box // 2) / (fineness * box)
        taper = torch.sinc(axis).square()
        flattened = volume / (taper[:, None, None] * taper[:, None] * taper)
        spectrum = centred_fft3(pad(flattened, [(fineness - 1) * box // 2] * 6))
        for axis_of_grid in range(3):  # Nyquist has two ends
            first = spectrum.narrow(axis_of_grid, 0, 1)
            spectrum = torch.cat([spectrum, first], dim=axis_of_grid)
        self._grid = torch.view_as_real(spectrum).movedim(-1, 0)[None].to(torch.float32)

    def at(self, freqs: Tensor) -> Tensor:
        """(N, 2) real and imaginary parts at frequencies (N, 3) in cycles/px."""
        places = (2 * freqs).to(self._grid.dtype)  # Nyquist is 1
        values = grid_sample(self._grid, places[None, None, None], align_corners=True)
        return values[0, :, 0, 0].T.to(freqs.dtype)
