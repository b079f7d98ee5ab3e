"""A coordinate network in Fourier space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from tomodrgn.core.model.mlp import ResidualMlp
from tomodrgn.plugins.decoders.fourier_mlp.fused_choice import TRIAL_ROWS, fused_sweep
from tomodrgn.plugins.decoders.fourier_mlp.many_latents import answers_at_latents
from tomodrgn.plugins.decoders.fourier_mlp.sweep import MlpSweep

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.interfaces import DecoderContext, PositionalEncoding, SweepGradients
    from tomodrgn.plugins.decoders import FourierMlpSpec
    from tomodrgn.plugins.decoders.fourier_mlp.fused_sweep import FusedSweep
    from tomodrgn.plugins.decoders.fourier_mlp.sweep import AnswerGradient


class FourierMlp(nn.Module):
    """Residual MLP from encoded frequency and latent to real and imaginary part.

    Source:
        Zhong et al. 2021, doi:10.1038/s41592-020-01049-4 (the idea of a coordinate network in
        Fourier space); layer by layer as :class:`~tomodrgn.core.model.mlp.ResidualMlp`.
    """

    can_start_warm = True

    def __init__(self, spec: FourierMlpSpec, context: DecoderContext) -> None:
        super().__init__()
        self.encoding = context.encoding
        n_features = 3 if context.encoding is None else context.encoding.out_dim
        self.decoder = ResidualMlp(
            n_features + context.latent_dim, spec.layers, spec.dim, 2, spec.activation
        )

    def forward(self, freqs: Tensor, latent: Tensor | None, counts: Tensor) -> Tensor:
        """(N, 3) cycles/px, (B, Z), (B,) to (N, 2)."""
        result: Tensor = self.decoder(self._features(freqs), latent, counts)
        return result

    def decode_at(self, freqs: Tensor, latents: Tensor) -> Tensor:
        """See :class:`~tomodrgn.core.interfaces.ManyLatentsDecoder`."""
        return answers_at_latents(self.decoder, self._features(freqs), latents)

    def _features(self, freqs: Tensor) -> Tensor:
        """(N, F) what the layers see of frequencies (N, 3)."""
        return encoded(freqs, self.encoding)

    def sweep(self, latent: Tensor | None) -> FourierMlpSweep | None:
        """Forward and backward in one go, see :class:`~tomodrgn.core.interfaces.SweepingDecoder`.

        None where other weights learn than those of the layers, on GPUs where fused layers do not
        prove faster, and on devices of other kinds.
        """
        weight = next(self.decoder.parameters())
        all_learn = all(parameter.requires_grad for parameter in self.decoder.parameters())
        has_others = len(list(self.parameters())) > len(list(self.decoder.parameters()))
        if has_others or not all_learn:
            return None
        if weight.device.type == "cpu":
            return FourierMlpSweep(self.encoding, MlpSweep(self.decoder, latent))
        if weight.device.type != "cuda":
            return None
        fused = fused_sweep(self.decoder, latent, lambda: self._features(_trial_freqs(weight)))
        return None if fused is None else FourierMlpSweep(self.encoding, fused)


class FourierMlpSweep:
    """Gradients of a :class:`FourierMlp`, collected over rows."""

    def __init__(self, encoding: PositionalEncoding | None, layers: MlpSweep | FusedSweep) -> None:
        self._encoding = encoding
        self._layers = layers

    def add(self, freqs: Tensor, owner: Tensor, answer_gradient: AnswerGradient) -> None:
        """Add the rows ``freqs`` (N, 3) of the particles ``owner`` (N,)."""
        self._layers.add(encoded(freqs, self._encoding), owner, answer_gradient)

    def finish(self) -> SweepGradients:
        """The gradients of everything that was added."""
        return self._layers.finish()


def encoded(freqs: Tensor, encoding: PositionalEncoding | None) -> Tensor:
    """(N, F) features of frequencies (N, 3), or the frequencies where there is no encoding."""
    if encoding is None:
        return freqs
    with torch.autocast(freqs.device.type, enabled=False):  # phases need all their digits
        return encoding(freqs)


def _trial_freqs(like: Tensor) -> Tensor:
    """(N, 3) frequencies of a step as far as speed and rounding go, the same each time."""
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(TRIAL_ROWS, 3, generator=generator) - 0.5).to(like)
