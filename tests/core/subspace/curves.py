"""Particles on a curve or plane of a subspace, as their images tell of them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from tomodrgn.core.interfaces import EncoderContext
from tomodrgn.core.linear.joint import SeenLatents
from tomodrgn.core.linear.latents import LatentTerms
from tomodrgn.core.subspace.fitting import Pair
from tomodrgn.core.subspace.statistics import Statistics
from tomodrgn.plugins.decoders.subspace_mlp import Coordinates
from tomodrgn.plugins.encoders import LinearPosteriorSpec
from tomodrgn.plugins.encoders.linear_posterior import LinearPosterior

B, K = 160, 3

torch.set_num_threads(1)


class Told(NamedTuple):
    """What images say of coordinates (B, K) that are known."""

    coordinates: Tensor
    terms: LatentTerms

    @property
    def statistics(self) -> Statistics:
        """The same as networks take it."""
        seen = SeenLatents(terms=self.terms, of_tilts=self.terms, precision=torch.ones(1))
        return Statistics.of(seen)


def told_of(coordinates: Tensor, strength: float, seed: int = 0) -> Told:
    """Evidence of tilts of even and odd rank about coordinates (B, K)."""
    random = torch.Generator().manual_seed(seed)
    n, size = coordinates.shape
    root = torch.randn(n, 2, size, 2 * size, generator=random) / (2 * size) ** 0.5
    matrix = strength * root @ root.mT
    noise = torch.linalg.cholesky(matrix) @ torch.randn(n, 2, size, 1, generator=random)
    vector = (matrix @ coordinates[:, None, :, None] + noise)[..., 0]
    return Told(coordinates, LatentTerms(matrix, vector))


def angles() -> Tensor:
    """(B,) places on a curve, in half turns."""
    return torch.linspace(0, 1, B)[torch.randperm(B, generator=torch.Generator().manual_seed(3))]


def half_circle(strength: float = 60.0) -> Told:
    """A curve that bends: a line through its ends shows little of it."""
    turn = torch.pi * 1.5 * angles()
    return told_of(torch.stack([turn.cos(), turn.sin(), 0.5 * (2 * turn).cos()], dim=1), strength)


def plane(strength: float = 60.0) -> Told:
    """Two coordinates that have nothing to do with each other."""
    flat = torch.randn(B, 2, generator=torch.Generator().manual_seed(4))
    return told_of(torch.cat([flat, torch.zeros(B, 1)], dim=1), strength)


def make(n_latents: int) -> Pair:
    """Networks as a run begins with them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        context = EncoderContext(
            box_size_px=16,
            radius_px=torch.zeros(1),
            latent_dim=n_latents,
            min_tilts=1,
            n_coordinates=K,
        )
        encoder = LinearPosterior(LinearPosteriorSpec(dim=32), context)
        return Pair(encoder, Coordinates(n_latents, K, layers=2, dim=32))


def straight(weight: Tensor) -> nn.Module:
    """Coordinates that are ``weight`` (K, Z) times the latents."""
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    with torch.no_grad():
        linear.weight.copy_(weight)
    return linear
