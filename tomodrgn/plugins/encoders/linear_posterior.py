"""From what a linear model says of a particle to its latents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from tomodrgn.core.interfaces import Posterior
from tomodrgn.core.model.dense import dense_layers

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.interfaces import EncoderContext
    from tomodrgn.plugins.encoders import LinearPosteriorSpec

_LEAST_SCALE = 1e-3
_FIRST_LOG_VARIANCE = -2.0
_LOG_VARIANCES = (-12.0, 3.0)


class LinearPosterior(nn.Module):
    """A small network from the linear posterior of a particle, mean and variances.

    It begins as the linear model: latent k is coordinate k. What it sees of particles with few
    tilts are wide posteriors, so that theirs stay wide.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, spec: LinearPosteriorSpec, context: EncoderContext) -> None:
        super().__init__()
        n_coordinates, self._latent_dim = context.n_coordinates, context.latent_dim
        self.register_buffer("centre", torch.zeros(2 * n_coordinates))
        self.register_buffer("scale", torch.ones(2 * n_coordinates))
        self.linear = nn.Linear(n_coordinates, self._latent_dim, bias=False)
        nn.init.eye_(self.linear.weight)
        self.network = dense_layers(
            2 * n_coordinates, 2 * self._latent_dim, layers=spec.layers, dim=spec.dim
        )

    @torch.no_grad()
    def begin(self, linear: Posterior) -> None:
        """Take the scales of its inputs from the linear posteriors (B, K) of a data set."""
        values = torch.cat(linear, dim=-1)
        self.centre.copy_(values.mean(0))
        self.scale.copy_(values.std(0, unbiased=False).clamp_min(_LEAST_SCALE))

    def forward(self, linear: Posterior) -> Posterior:
        """Linear posteriors (B, K) to posteriors (B, Z)."""
        values = (torch.cat([linear.mean, linear.log_variance], dim=-1) - self.centre) / self.scale
        mean, log_variance = self.network(values).split(self._latent_dim, dim=-1)
        mean = mean + self.linear(values[..., : linear.mean.shape[-1]])
        return Posterior(mean, (log_variance + _FIRST_LOG_VARIANCE).clamp(*_LOG_VARIANCES))
