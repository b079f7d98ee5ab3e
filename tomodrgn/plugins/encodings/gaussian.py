"""Random Fourier features: waves along random directions of random length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.interfaces import EncodingContext
    from tomodrgn.plugins.encodings import GaussianSpec


class GaussianWaves(nn.Module):
    """Sines, then cosines, of 3 n waves; the wave vectors are drawn once and saved with the model.

    Source:
        Tancik et al. 2020, arXiv:2006.10739.
    """

    rand_freqs: Tensor

    def __init__(self, spec: GaussianSpec, context: EncodingContext) -> None:
        super().__init__()
        n = 3 * (spec.dim or context.box_size_px // 2)
        generator = torch.Generator().manual_seed(context.seed)
        self.register_buffer("rand_freqs", spec.sigma * torch.randn(n, 3, generator=generator))
        self.half_box = context.box_size_px / 2
        self.out_dim = 2 * n

    def forward(self, freqs: Tensor) -> Tensor:
        """(N, 3) cycles/px to (N, 6 n)."""
        angles = freqs @ (self.half_box * self.rand_freqs).T
        return torch.cat([angles.sin(), angles.cos()], dim=1)
