"""A mean map and a basis map per latent, in place of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from tomodrgn.core.fourier.grids import OVERSAMPLING, corners, read_grid, volumes_to_spectra

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.interfaces import DecoderContext
    from tomodrgn.plugins.decoders import LinearVolumesSpec


class LinearVolumes(nn.Module):
    """``F(k, z) = mean(k) + sum_j z_j basis_j(k)``, interpolated between the points of a grid.

    ``maps`` (1 + Z, D, D, D) holds the mean map and the basis maps, in the scale of the images.
    ``train_linear`` finds them in closed form; gradients reach them, too.
    """

    def __init__(self, spec: LinearVolumesSpec, context: DecoderContext) -> None:
        super().__init__()
        del spec
        box = context.box_size_px
        self.maps = nn.Parameter(torch.zeros(1 + context.latent_dim, box, box, box))
        self._spectra: tuple[int, Tensor] | None = None

    def forward(self, freqs: Tensor, latent: Tensor | None, counts: Tensor) -> Tensor:
        """(N, 3) cycles/px, (B, Z), (B,) to (N, 2)."""
        box = self.maps.shape[-1]
        where = corners((freqs * (OVERSAMPLING * box)).unbind(1), box)
        grids = torch.view_as_real(self._grids())
        parts = [[read_grid(grid, where) for grid in each.unbind(-1)] for each in grids]
        read = torch.stack([torch.stack(each) for each in parts])  # (1 + Z, 2, N)
        answer = read[0]
        if latent is not None:
            spread = latent.repeat_interleave(counts, dim=0, output_size=len(freqs))
            answer = answer + (spread.T[:, None] * read[1:]).sum(0)
        real, imag = answer
        return torch.stack([real, imag * where.fold], dim=1)

    def _grids(self) -> Tensor:
        """(1 + Z, points) complex; kept while the maps stay as they are."""
        if self.maps.requires_grad and torch.is_grad_enabled():
            return volumes_to_spectra(self.maps).flatten(1)
        version = self.maps._version
        kept = self._spectra
        if kept is None or kept[0] != version or kept[1].device != self.maps.device:
            kept = (version, volumes_to_spectra(self.maps.detach()).flatten(1))
            self._spectra = kept
        return kept[1]
