"""Posteriors of latents from what their images say: a matrix and a vector per particle.

Given the maps, the log likelihood of the latent z of a particle is ``b.z - z.A z / 2`` up to a
constant. With a standard normal prior its posterior is normal with covariance (A + I)^-1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.linear.factors import positive_factor
from tomodrgn.core.linear.weighting import mean_of

if TYPE_CHECKING:
    from torch import Tensor

_TILT_SETS: Final = 2
_PRIOR_ROUNDS: Final = 30
_SCALE_ROUNDS: Final = 5
_RIDGE: Final = 1e-4
_LEAST_VARIANCE: Final = 1e-8


@dataclass(frozen=True, slots=True)
class LatentTerms:
    """What the images of B particles say of their latents, odd and even tilts apart.

    Attributes:
        matrix: (B, 2, K, K) A of each; (B, 1, K, K) where it is known of all tilts alone.
        vector: (B, 2, K) b of each.
    """

    matrix: Tensor
    vector: Tensor

    def posterior(self) -> Posterior:
        """Given all tilts."""
        return posterior(self.matrix.sum(1), self.vector.sum(1))

    def held_out_gains(self) -> Tensor:
        """(K, B) log likelihood that the first k + 1 latents add to tilts they were not fit to.

        Each set of tilts is predicted from the other, and compared with the mean map.
        """
        n_latents = self.vector.shape[-1]
        gains = []
        for k in range(1, n_latents + 1):
            matrix, vector = self.matrix[..., :k, :k], self.vector[..., :k]
            gain = torch.zeros_like(vector[:, 0, 0])
            for told in range(_TILT_SETS):
                mean = posterior(matrix[:, told], vector[:, told]).mean
                gain = gain + _gain(matrix[:, 1 - told], vector[:, 1 - told], mean)
            gains.append(gain)
        return torch.stack(gains)

    def inconsistency(self) -> float:
        """Squared error with which tilts predict the others, over that which was to be expected.

        1 where the noise is as strong as the terms take it to be.
        """
        n_latents = self.vector.shape[-1]
        identity = torch.eye(n_latents, device=self.vector.device, dtype=self.vector.dtype)
        factor = 1.0
        for _ in range(_SCALE_ROUNDS):
            squared = []
            for told in range(_TILT_SETS):
                known = posterior(self.matrix[:, told] / factor, self.vector[:, told] / factor)
                matrix, vector = (
                    self.matrix[:, 1 - told] / factor,
                    self.vector[:, 1 - told] / factor,
                )
                surprise = vector - torch.einsum("bkl,bl->bk", matrix, known.mean)
                expected = matrix + matrix @ known.covariance @ matrix
                level = expected.diagonal(dim1=1, dim2=2).mean(1)
                seen = level > 0  # particles with a single tilt have none to predict
                ridge = _RIDGE * level[seen, None, None] * identity
                solved = torch.linalg.solve(expected[seen] + ridge, surprise[seen])
                squared.append((surprise[seen] * solved).sum(1))
            together = torch.cat(squared)
            if not len(together):
                return 1.0
            factor *= float(together.mean()) / n_latents
        return factor

    def marginal(self, n_errors: int) -> LatentTerms:
        """Of all tilts, the first of their directions integrated out: these are standard normal.

        Source:
            Marginal of a normal distribution by the Schur complement; Petersen & Pedersen, The
            Matrix Cookbook, section 8.1.
        """
        together = LatentTerms(
            self.matrix.double().sum(1, keepdim=True), self.vector.double().sum(1, keepdim=True)
        )
        found = together.marginal_of_tilts(n_errors)
        return LatentTerms(found.matrix.to(self.matrix), found.vector.to(self.vector))

    def marginal_of_tilts(self, n_errors: int) -> LatentTerms:
        """The same of each set of tilts apart, as if there were no others."""
        errors, latents = slice(0, n_errors), slice(n_errors, None)
        matrix, vector = self.matrix.double().flatten(0, 1), self.vector.double().flatten(0, 1)
        identity = torch.eye(n_errors, device=matrix.device, dtype=matrix.dtype)
        factor = positive_factor(matrix[:, errors, errors] + identity, "particles", least=1.0)
        cross = matrix[:, errors, latents]
        known = torch.cat([cross, vector[:, errors, None]], dim=2)
        left = cross.mT @ torch.cholesky_solve(known, factor)
        sets = self.vector.shape[:2]
        return LatentTerms(
            (matrix[:, latents, latents] - left[..., :-1]).unflatten(0, sets).to(self.matrix),
            (vector[:, latents] - left[..., -1]).unflatten(0, sets).to(self.vector),
        )

    def weakened(self, factor: float) -> LatentTerms:
        """As if the noise had ``factor`` times its power."""
        return LatentTerms(self.matrix / factor, self.vector / factor)

    def about(self, centre: Tensor) -> LatentTerms:
        """For latents less a centre (K,), which the mean map takes in."""
        return LatentTerms(self.matrix, self.vector - self.matrix @ centre)

    def changed(self, change: Tensor) -> LatentTerms:
        """For maps V ``change`` (K, K') instead of V."""
        return LatentTerms(change.T @ self.matrix @ change, self.vector @ change)


@dataclass(frozen=True, slots=True)
class Posterior:
    """Normal distributions of the latents of B particles."""

    mean: Tensor  # (B, K)
    covariance: Tensor  # (B, K, K)

    def moments(self) -> Tensor:
        """(B, K, K) mean of z z^T."""
        return self.mean[:, :, None] * self.mean[:, None, :] + self.covariance

    def take(self, rows: Tensor | slice) -> Posterior:
        """Those of the particles with rows (n,)."""
        return Posterior(self.mean[rows], self.covariance[rows])

    def changed(self, change: Tensor) -> Posterior:
        """Of the latents of u' = ``change`` (1 + K, 1 + K) u, u being (1, z)."""
        turn = change[1:, 1:]
        return Posterior(self.mean @ turn.T + change[1:, 0], turn @ self.covariance @ turn.T)


def certain(latents: Tensor) -> Posterior:
    """Latents (B, K) that are known."""
    return Posterior(latents, latents.new_zeros((*latents.shape, latents.shape[1])))


def posterior(matrix: Tensor, vector: Tensor) -> Posterior:
    """Under a standard normal prior, of (B, K, K) and (B, K)."""
    if not vector.shape[-1]:
        return Posterior(vector, matrix)
    identity = torch.eye(vector.shape[-1], device=vector.device, dtype=vector.dtype)
    factor = positive_factor(matrix + identity, "latents", least=1.0)
    mean = torch.cholesky_solve(vector[..., None], factor)[..., 0]
    return Posterior(mean, torch.cholesky_inverse(factor))


def log_evidence(terms: LatentTerms, found: Posterior) -> Tensor:
    """(B,) log probability of the images with the latents integrated out, over the mean map's."""
    vector = terms.vector.sum(1)
    volume: Tensor = torch.linalg.slogdet(found.covariance)[1]
    return 0.5 * ((vector * found.mean).sum(1) + volume)


def population(terms: LatentTerms, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean (K,) and covariance (K, K) of the latents of the population, of greatest evidence.

    Particles count by weights (B,), or alike.

    Source:
        Expectation-maximisation for a normal prior; Laird & Ware 1982, doi:10.2307/2529876.
    """
    matrix, vector = terms.matrix.sum(1), terms.vector.sum(1)
    centre = vector.new_zeros(vector.shape[1])
    spread = torch.eye(len(centre), device=vector.device, dtype=vector.dtype)
    for _ in range(_PRIOR_ROUNDS):
        root = _root(spread)
        scaled = posterior(
            root @ matrix @ root, (vector - torch.einsum("bkl,l->bk", matrix, centre)) @ root
        )
        offset = scaled.mean @ root
        moved = mean_of(offset, weights)
        centre = centre + moved
        deviation = offset - moved
        scatter = mean_of(deviation[:, :, None] * deviation[:, None, :], weights)
        spread = scatter + root @ mean_of(scaled.covariance, weights) @ root
    return centre, spread


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp_min(_LEAST_VARIANCE).sqrt()) @ vectors.T
    return root


def standardising(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Root (K, K) of a covariance and its inverse; inverse z is standard."""
    values, vectors = torch.linalg.eigh(covariance)
    roots = values.clamp_min(_LEAST_VARIANCE).sqrt()
    return (vectors * roots) @ vectors.T, (vectors / roots) @ vectors.T


def _gain(matrix: Tensor, vector: Tensor, latent: Tensor) -> Tensor:
    quadratic = torch.einsum("bk,bkl,bl->b", latent, matrix, latent)
    gain: Tensor = (latent * vector).sum(1) - 0.5 * quadratic
    return gain
