"""Volumes in a linear subspace, at coordinates that a small network finds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torch import nn

from tomodrgn.core.errors import SpecError
from tomodrgn.core.model.dense import dense_layers
from tomodrgn.plugins.decoders.linear_volumes import LinearVolumes

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.interfaces import DecoderContext
    from tomodrgn.plugins.decoders import SubspaceMlpSpec


class Coordinates(nn.Module):
    """A linear map plus a network, from latents (..., Z) to coordinates (..., K).

    It begins as the linear model: coordinate k is latent k, and the others are 0.
    """

    def __init__(self, latent_dim: int, n_coordinates: int, *, layers: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(latent_dim, n_coordinates, bias=False)
        nn.init.eye_(self.linear.weight)
        self.network = dense_layers(latent_dim, n_coordinates, layers=layers, dim=dim)

    def forward(self, latent: Tensor) -> Tensor:
        """(..., Z) to (..., K)."""
        answer: Tensor = self.linear(latent) + self.network(latent)
        return answer


class SubspaceMlp(LinearVolumes):
    """``volume(z) = mean + sum_k c_k(z) basis_k``.

    ``maps`` (1 + K, D, D, D) are those of a linear model; ``coordinates`` is the network c.
    """

    def __init__(self, spec: SubspaceMlpSpec, context: DecoderContext) -> None:
        n_coordinates = spec.n_coordinates
        if n_coordinates is None:
            raise SpecError(
                "decoder.n_coordinates: how many basis maps there are is found by train_vae, and "
                "stands in the run.yaml of a finished run"
            )
        super().__init__(spec, replace(context, latent_dim=n_coordinates))
        self.coordinates: Coordinates | None = None
        if context.latent_dim:
            self.coordinates = Coordinates(
                context.latent_dim, n_coordinates, layers=spec.layers, dim=spec.dim
            )

    def forward(self, freqs: Tensor, latent: Tensor | None, counts: Tensor) -> Tensor:
        """(N, 3) cycles/px, (B, Z), (B,) to (N, 2)."""
        return super().forward(freqs, self._coordinates_at(latent), counts)

    def volumes(self, latent: Tensor | None) -> Tensor:
        """(B, D, D, D) volumes of latents (B, Z), or the mean map of a model without."""
        return super().volumes(self._coordinates_at(latent))

    def _coordinates_at(self, latent: Tensor | None) -> Tensor | None:
        if latent is None or self.coordinates is None:
            return None
        found: Tensor = self.coordinates(latent.to(self.maps))
        return found
