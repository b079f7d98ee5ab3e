"""What the images of each particle say of its coordinates in a subspace, odd and even tilts apart.

Given K basis maps, the log likelihood of coordinates c of a particle is ``b.c - c.A c / 2``, up to
a constant, whatever else its images hold: A (K x K, symmetric) and b (K) are sufficient statistics.
Of A the upper triangle is kept, its elements off the diagonal doubled, so that ``c.A c`` is one
product with those of two coordinates each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.interfaces import Posterior
from tomodrgn.core.linear.latents import posterior

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from tomodrgn.core.linear.joint import SeenLatents

_AT_ONCE: Final = 1 << 16
"""Particles whose whole matrices are held at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Statistics of B particles from some of their tilts.

    Attributes:
        matrix: (..., B, K (K + 1) / 2) upper triangles of A by rows, off the diagonal doubled.
        vector: (..., B, K) b.
    """

    matrix: Tensor
    vector: Tensor

    def __getitem__(self, rows: slice | Tensor) -> Evidence:
        """Those of some particles."""
        return Evidence(self.matrix[..., rows, :], self.vector[..., rows, :])

    @property
    def n_coordinates(self) -> int:
        """K."""
        return self.vector.shape[-1]

    def gain(self, coordinates: Tensor) -> Tensor:
        """(..., B) log likelihood of coordinates (..., B, K), over that of the mean map."""
        left, right = _pairs(self.n_coordinates, coordinates.device)
        products = coordinates[..., left] * coordinates[..., right]
        return (self.vector * coordinates).sum(-1) - 0.5 * (self.matrix * products).sum(-1)

    def gains(self, coordinates: Tensor) -> Tensor:
        """(B, G) log likelihood of each of some coordinates (G, K) for each particle."""
        left, right = _pairs(self.n_coordinates, coordinates.device)
        products = coordinates[:, left] * coordinates[:, right]
        return self.vector @ coordinates.T - 0.5 * self.matrix @ products.T

    def whole_matrix(self) -> Tensor:
        """(..., B, K, K) A."""
        n = self.n_coordinates
        left, right = _pairs(n, self.matrix.device)
        halves = torch.where(left == right, self.matrix, 0.5 * self.matrix)
        whole = halves.new_zeros((*halves.shape[:-1], n, n))
        whole[..., left, right] = halves
        whole[..., right, left] = halves
        return whole

    def linear_posterior(self) -> Posterior:
        """(B, K) posteriors of the coordinates of a standard normal population."""
        means, log_variances = [], []
        for rows in blocks_of(len(self.vector)):
            some = self[rows]
            found = posterior(some.whole_matrix(), some.vector)
            means.append(found.mean)
            log_variances.append(found.covariance.diagonal(dim1=1, dim2=2).log())
        return Posterior(torch.cat(means), torch.cat(log_variances))


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Statistics of B particles.

    Errors of poses and contrast are integrated out of each set of tilts, so that all tilts say less
    than even and odd ones together.

    Attributes:
        even: of tilts of even rank.
        odd: of tilts of odd rank.
        all: of all tilts.
    """

    even: Evidence
    odd: Evidence
    all: Evidence

    @classmethod
    def of(cls, seen: SeenLatents) -> Statistics:
        """Those of a linear model."""
        even, odd = (
            packed(seen.of_tilts.matrix[:, rank], seen.of_tilts.vector[:, rank]) for rank in (0, 1)
        )
        return cls(even, odd, packed(seen.terms.matrix.sum(1), seen.terms.vector.sum(1)))

    @property
    def n_particles(self) -> int:
        """B."""
        return len(self.all.vector)

    def of_particles(self, rows: Tensor) -> Statistics:
        """Those of the particles with rows (n,)."""
        return Statistics(self.even[rows], self.odd[rows], self.all[rows])


def packed(matrix: Tensor, vector: Tensor) -> Evidence:
    """Of whole matrices (B, K, K) and vectors (B, K)."""
    left, right = _pairs(vector.shape[-1], vector.device)
    twice = torch.where(left == right, 1.0, 2.0).to(matrix)
    return Evidence(matrix[..., left, right] * twice, vector)


def blocks_of(n_particles: int) -> Iterator[slice]:
    """Slices of particles few enough for their whole matrices."""
    for start in range(0, n_particles, _AT_ONCE):
        yield slice(start, min(start + _AT_ONCE, n_particles))


def _pairs(n: int, device: torch.device) -> tuple[Tensor, Tensor]:
    left, right = torch.triu_indices(n, n, device=device)
    return left, right
