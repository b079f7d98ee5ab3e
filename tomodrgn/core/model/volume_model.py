"""Encoder and decoder as one module, with the symmetry of real volumes built in.

A decoder is asked only where z <= 0; at the other frequencies the volume model asks at -k and
conjugates the answer. Every decoder is Hermitian by construction, whatever it computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from tomodrgn.core.interfaces import PaddingEncoder

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.interfaces import Decoder, Posterior


class VolumeModel(nn.Module):
    """From the tilt images of particles to the Fourier coefficients of their volumes.

    Args:
        decoder: module with the :class:`~tomodrgn.core.interfaces.Decoder` protocol.
        encoder: module with the :class:`~tomodrgn.core.interfaces.Encoder` protocol, or None for
            one volume that all particles share.
    """

    def __init__(self, decoder: nn.Module, encoder: nn.Module | None) -> None:
        super().__init__()
        self.decoder = decoder
        self.encoder = encoder

    def embed(self, images: Tensor, counts: Tensor, longest: int | None = None) -> Posterior:
        """Posterior of the latents of B particles.

        Args:
            images: (M, P, 2) coefficients with consistent contrast, packed.
            counts: (B,) images of each particle.
            longest: the largest of them, where the host knows it.
        """
        encoder: Any = self.encoder
        pads = isinstance(self.encoder, PaddingEncoder) and self.encoder.pads_images
        told = (longest,) if pads else ()
        return cast("Posterior", encoder(images, counts, *told))

    def decode(self, freqs: Tensor, latent: Tensor | None, counts: Tensor) -> Tensor:
        """(N, 2) coefficients at ``freqs`` (N, 3) in cycles/px, of particles with ``counts`` rows.

        Args:
            freqs: (N, 3), packed by particle.
            latent: (B, Z), or None for a model without latents.
            counts: (B,) rows of each particle.
        """
        sign = upper_half_sign(freqs)
        answer = cast("Decoder", self.decoder)(freqs * sign, latent, counts).to(freqs.dtype)
        return torch.cat([answer[:, :1], answer[:, 1:] * sign], dim=1)


def upper_half_sign(freqs: Tensor) -> Tensor:
    """(N, 1) -1 where a frequency (N, 3) has z > 0, so that the decoder is asked at -k, else 1."""
    return 1 - 2 * (freqs[:, 2:] > 0).to(freqs.dtype)
