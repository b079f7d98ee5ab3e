"""A molecule as a sum of isotropic Gaussians, evaluated in Fourier space."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.plugin import DecoderContext
    from tomodrgn_gaussian_mixture import GaussianMixtureSpec


class GaussianMixture(nn.Module):
    """F(k) = sum_j a_j(z) exp(-2 pi^2 s_j^2 k^2) exp(-2 pi i k.x_j(z)), with x and a linear in z.

    Memory grows with coefficients times blobs, so batches must be small for many blobs.
    """

    def __init__(self, spec: GaussianMixtureSpec, context: DecoderContext) -> None:
        super().__init__()
        n, box = spec.n_blobs, context.box_size_px
        generator = torch.Generator().manual_seed(context.seed)
        self.box_size_px = box
        self.centres = nn.Parameter(spec.radius * torch.randn(n, 3, generator=generator))  # boxes
        self.log_width = nn.Parameter(torch.full((n,), math.log(spec.width_px)))
        self.weights = nn.Parameter(torch.full((n,), 1 / math.sqrt(n)))
        if context.latent_dim:
            motion = torch.randn(context.latent_dim, n, 3, generator=generator)
            fading = torch.randn(context.latent_dim, n, generator=generator)
            self.motion = nn.Parameter(0.01 * motion)
            self.fading = nn.Parameter(0.1 / math.sqrt(n) * fading)

    def forward(self, freqs: Tensor, latent: Tensor | None, counts: Tensor) -> Tensor:
        """(N, 3) cycles/px, (B, Z), (B,) to (N, 2)."""
        waves = self.box_size_px * freqs  # (N, 3) cycles per box
        angle = waves @ self.centres.T  # (N, J) turns
        weights = self.weights
        if latent is not None:
            spread = latent.repeat_interleave(counts, dim=0, output_size=len(freqs))  # (N, Z)
            moves = torch.einsum("nd,zjd->nzj", waves, self.motion)
            angle = angle + torch.einsum("nz,nzj->nj", spread, moves)
            weights = weights + spread @ self.fading  # (N, J)
        power = -2 * (math.pi * self.log_width.exp()) ** 2 * freqs.square().sum(1, keepdim=True)
        blobs = weights * power.exp()  # (N, J)
        turn = -2 * math.pi * angle
        return torch.stack([(blobs * turn.cos()).sum(1), (blobs * turn.sin()).sum(1)], dim=1)
