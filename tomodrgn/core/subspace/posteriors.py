"""Posteriors of latents in full: their mean, and how far others are nearly as likely.

The encoder of a fit is a quick guess with independent errors. From there the log posterior
``b.c(z) - c(z).A c(z) / 2 - z.z / 2`` is climbed by damped Newton steps; its curvature at the top
is the precision of the latent (Laplace's approximation). Where a volume is the same over a stretch
of latents, as within a discrete state, the top is nowhere in particular: posteriors of one or two
latents that span more than a step of a grid are summed up over it instead, which gives the mean of
the stretch to all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.linear.factors import positive_factor
from tomodrgn.core.linear.latents import Posterior

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tomodrgn.core.subspace.fitting import Pair
    from tomodrgn.core.subspace.statistics import Evidence

_STEPS: Final = 12
_FIRST_DAMPING: Final = 1e-2
_EASED, _STRESSED = 1 / 3, 4.0
_AT_ONCE: Final = 8192
_REACH: Final = 4.5
"""Where grids of latents end; the prior has a deviation of 1."""
_GRIDS: Final = {1: 301, 2: 61}
"""Points along each axis, by the number of latents."""
_ROWS_OF_GRID: Final = 1024


@torch.no_grad()
def posteriors(pair: Pair, evidence: Evidence) -> Posterior:
    """Latents (B, Z) of particles with their covariances (B, Z, Z).

    Args:
        pair: networks that were fitted.
        evidence: what all tilts of each particle say.
    """
    linear = evidence.linear_posterior()
    first = pair.encoder(linear).mean
    found = [
        _climbed(pair.coordinates, evidence[rows], first[rows])
        for rows in torch.arange(len(first), device=first.device).split(_AT_ONCE)
    ]
    mean = torch.cat([each.mean for each in found])
    covariance = torch.cat([each.covariance for each in found])
    n_latents = mean.shape[1]
    if n_latents in _GRIDS:
        axis = torch.linspace(-_REACH, _REACH, _GRIDS[n_latents]).to(mean)
        grid = torch.cartesian_prod(*[axis] * n_latents).view(-1, n_latents)
        for rows in torch.arange(len(mean), device=mean.device).split(_ROWS_OF_GRID):
            summed, spread = _summed(pair.coordinates, evidence[rows], grid)
            widest = spread.diagonal(dim1=1, dim2=2).amax(1).sqrt()
            wide = widest > axis[1] - axis[0]
            mean[rows[wide]], covariance[rows[wide]] = summed[wide], spread[wide]
    return Posterior(mean, covariance)


def _summed(coordinates: nn.Module, evidence: Evidence, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Means (b, Z) and covariances (b, Z, Z) over a grid (G, Z) of latents."""
    heights = evidence.gains(coordinates(grid)) - 0.5 * grid.square().sum(1)
    share = torch.softmax(heights, dim=1)
    mean = share @ grid
    squares = (grid[:, :, None] * grid[:, None, :]).flatten(1)
    second = (share @ squares).unflatten(1, (grid.shape[1],) * 2)
    return mean, second - mean[:, :, None] * mean[:, None, :]


def _climbed(coordinates: nn.Module, evidence: Evidence, latent: Tensor) -> Posterior:
    """The top near latents (b, Z), and the inverse curvature there."""
    matrix, vector = evidence.whole_matrix(), evidence.vector
    damping = torch.full_like(latent[:, 0], _FIRST_DAMPING)
    height = _height(coordinates, evidence, latent)
    for _ in range(_STEPS):
        at, slope = _at(coordinates, latent)
        left = vector - (matrix @ at[:, :, None])[..., 0]
        upward = (slope.mT @ left[:, :, None])[..., 0] - latent
        precision = _precision(slope, matrix)
        damped = precision + damping[:, None, None] * torch.diag_embed(
            precision.diagonal(dim1=1, dim2=2)
        )
        factor = positive_factor(damped, "latents", least=1.0)
        tried = latent + torch.cholesky_solve(upward[:, :, None], factor)[..., 0]
        reached = _height(coordinates, evidence, tried)
        is_up = reached > height
        latent = torch.where(is_up[:, None], tried, latent)
        height = torch.where(is_up, reached, height)
        damping = damping * torch.where(is_up, _EASED, _STRESSED)
    factor = positive_factor(_precision(_at(coordinates, latent)[1], matrix), "latents", least=1.0)
    return Posterior(latent, torch.cholesky_inverse(factor))


def _at(coordinates: nn.Module, latent: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates (b, K) of latents (b, Z), and their slopes (b, K, Z)."""
    with torch.enable_grad():
        latent = latent.detach().requires_grad_()
        at: Tensor = coordinates(latent)
        slopes = [
            torch.autograd.grad(each.sum(), latent, retain_graph=True)[0] for each in at.unbind(1)
        ]
    return at.detach(), torch.stack(slopes, dim=1)


def _height(coordinates: nn.Module, evidence: Evidence, latent: Tensor) -> Tensor:
    """(b,) log posterior, up to a constant."""
    return evidence.gain(coordinates(latent)) - 0.5 * latent.square().sum(-1)


def _precision(slope: Tensor, matrix: Tensor) -> Tensor:
    """(b, Z, Z) of latents with slopes (b, K, Z) of their coordinates, and a normal prior."""
    identity = torch.eye(slope.shape[-1], device=slope.device, dtype=slope.dtype)
    return slope.mT @ matrix @ slope + identity
