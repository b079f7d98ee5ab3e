"""Where latents begin: along the curve or surface near which the particles lie.

Coordinates that bend let a network of one latent pass through their states in any order, as it can
jump from one to another at no cost. So latents begin with distances that are measured along
neighboring particles.

Source:
    Tenenbaum, de Silva & Langford 2000, doi:10.1126/science.290.5500.2319 (Isomap).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from sklearn.manifold import Isomap

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
        linear: (n, K) linear posteriors, K >= Z; n is small.
        n_latents: Z.
    """
    doubt = linear.log_variance.exp().mean(0).sqrt()
    places = (linear.mean / doubt).double().cpu().numpy()
    n_neighbors = min(_NEIGHBORS, len(places) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of islands, which it joins by their nearest particles
        found = Isomap(n_neighbors=n_neighbors, n_components=n_latents).fit_transform(places)
    return torch.from_numpy(_standard(found)).to(linear.mean)


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = np.maximum(values.std(0), _TINY)
    return np.asarray((values - values.mean(0)) / spread)
