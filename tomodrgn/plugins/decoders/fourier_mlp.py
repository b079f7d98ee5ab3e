"""A coordinate network in Fourier space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from tomodrgn.core.model.mlp import ResidualMlp

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.interfaces import DecoderContext
    from tomodrgn.plugins.decoders import FourierMlpSpec


class FourierMlp(nn.Module):
    """Residual MLP from encoded frequency and latent to real and imaginary part.

    Source:
        Zhong et al. 2021, doi:10.1038/s41592-020-01049-4 (the idea of a coordinate network in
        Fourier space); layer by layer as :class:`~tomodrgn.core.model.mlp.ResidualMlp`.
    """

    def __init__(self, spec: FourierMlpSpec, context: DecoderContext) -> None:
        super().__init__()
        self.encoding = context.encoding
        n_features = 3 if context.encoding is None else context.encoding.out_dim
        self.decoder = ResidualMlp(
            n_features + context.latent_dim, spec.layers, spec.dim, 2, spec.activation
        )

    def forward(self, freqs: Tensor, latent: Tensor | None, counts: Tensor) -> Tensor:
        """(N, 3) cycles/px, (B, Z), (B,) to (N, 2)."""
        features = freqs
        if self.encoding is not None:
            with torch.autocast(freqs.device.type, enabled=False):  # phases need all their digits
                features = self.encoding(freqs)
        result: Tensor = self.decoder(features, latent, counts)
        return result
