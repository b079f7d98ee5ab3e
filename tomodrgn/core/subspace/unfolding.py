"""Where latents begin: along the curve or surface near which the particles lie.

Coordinates that bend let a network of one latent pass through their states in any order, as it can
jump from one to another at no cost. So latents begin with distances that are measured along
neighboring particles. Islands are joined by their nearest particles.

Source:
    Tenenbaum, de Silva & Langford 2000, doi:10.1126/science.290.5500.2319 (Isomap).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from scipy.sparse.csgraph import (  # type: ignore[import-untyped]
    minimum_spanning_tree,
    shortest_path,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.interfaces import Posterior

MOST: Final = 1000
"""Particles by which a curve is found; distances between all pairs of them are measured."""
_NEIGHBORS: Final = 15
_TINY: Final = 1e-6


def unfolded(linear: Posterior, n_latents: int) -> Tensor:
    """Latents (n, Z) of unit variance whose distances are those along neighboring particles.

    Args:
        linear: (n, K) linear posteriors; n is small.
        n_latents: Z.
    """
    doubt = linear.log_variance.exp().mean(0).sqrt()
    places = (linear.mean / doubt).double()
    apart = torch.cdist(places, places).cpu().numpy()
    along = shortest_path(_near(apart), directed=False)
    found = _scaled(torch.from_numpy(along), n_latents)
    return (found / found.std(0, unbiased=False).clamp_min(_TINY)).to(linear.mean)


def _near(apart: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, n) distances of neighbors and of a tree that joins all, 0 for others."""
    apart = np.maximum(apart, _TINY)  # as 0 stands for no neighbors
    np.fill_diagonal(apart, 0)
    n_near = min(_NEIGHBORS + 1, len(apart))
    reach = np.partition(apart, n_near - 1, axis=1)[:, n_near - 1 : n_near]
    tree = minimum_spanning_tree(apart).toarray()
    near = (apart <= reach) | (tree > 0)
    return np.where(near | near.T, apart, 0.0)


def _scaled(apart: Tensor, n_latents: int) -> Tensor:
    """(n, Z) places whose distances are nearest to those asked for (n, n).

    Source:
        Classical multidimensional scaling; Torgerson 1952, doi:10.1007/BF02288916.
    """
    squares = apart.square()
    level = squares.mean(0)
    inner = 0.5 * (level + level[:, None] - squares - level.mean())
    values, vectors = torch.linalg.eigh(inner)
    largest = slice(-n_latents, None)
    found: Tensor = (vectors[:, largest] * values[largest].clamp_min(0).sqrt()).flip(1)
    return found
