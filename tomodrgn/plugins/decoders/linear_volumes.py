"""A mean map and a basis map per latent, in place of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from tomodrgn.core.fourier.splines import SplineSpectra, spline_spectra

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.interfaces import DecoderContext
    from tomodrgn.core.specs.base import Spec


class LinearVolumes(nn.Module):
    """``volume(z) = mean + sum_j z_j basis_j``.

    ``maps`` (1 + Z, D, D, D) holds the mean map and the basis maps, in the scale of the images.
    ``train_linear`` finds them in closed form; gradients reach them, too.
    """

    def __init__(self, spec: Spec, context: DecoderContext) -> None:
        super().__init__()
        del spec
        box = context.box_size_px
        self.maps = nn.Parameter(torch.zeros(1 + context.latent_dim, box, box, box))
        self._spectra: tuple[int, SplineSpectra] | None = None

    def forward(self, freqs: Tensor, latent: Tensor | None, counts: Tensor) -> Tensor:
        """(N, 3) cycles/px, (B, Z), (B,) to (N, 2)."""
        read = self._spline_spectra().at(freqs)  # (N, 1 + Z, 2)
        answer = read[:, 0]
        if latent is not None:
            spread = latent.repeat_interleave(counts, dim=0, output_size=len(freqs))
            answer = answer + (spread[:, :, None] * read[:, 1:]).sum(1)
        return answer

    def volumes(self, latent: Tensor | None) -> Tensor:
        """(B, D, D, D) volumes of latents (B, Z), or the one volume of a model without."""
        if latent is None:
            return self.maps[:1]
        mean, basis = self.maps[0], self.maps[1:]
        return mean + torch.einsum("bk,kzyx->bzyx", latent.to(self.maps), basis)

    def _spline_spectra(self) -> SplineSpectra:
        """Those of the maps; kept while the maps stay as they are."""
        if self.maps.requires_grad and torch.is_grad_enabled():
            return spline_spectra(self.maps)
        version = self.maps._version
        if (
            self._spectra is None
            or self._spectra[0] != version
            or self._spectra[1].table.device != self.maps.device
        ):
            self._spectra = (version, spline_spectra(self.maps.detach()))
        return self._spectra[1]
