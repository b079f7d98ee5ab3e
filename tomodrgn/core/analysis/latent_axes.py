"""Principal axes of latents, and the latents of places along them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_ROWS: Final = 100_000
"""Latents that are widened to float64 at once."""


@dataclass(frozen=True, slots=True)
class PrincipalAxes:
    """Directions in which latents vary, largest variance first.

    Attributes:
        mean: (Z,).
        directions: (K, Z) unit vectors, the largest number of each positive.
        shares: (K,) part of the variance along each.
    """

    mean: NDArray[np.float64]
    directions: NDArray[np.float64]
    shares: NDArray[np.float64]

    def scores(self, latents: NDArray[np.floating]) -> NDArray[np.float32]:
        """(B, K) places of latents (B, Z) along the axes."""
        return np.concatenate(
            [
                ((part - self.mean) @ self.directions.T).astype(np.float32)
                for part in _parts(latents)
            ]
        )

    def latents_at(self, axis: int, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """(n, Z) latents at values (n,) along one axis, in the middle of all others."""
        steps = np.asarray(values, np.float64)[:, None]
        return np.asarray(self.mean + steps * self.directions[axis], np.float32)


def principal_axes(latents: NDArray[np.floating]) -> PrincipalAxes:
    """Principal axes of latents (B, Z); exact, whatever B."""
    mean = latents.mean(axis=0, dtype=np.float64)
    products = np.zeros((latents.shape[1], latents.shape[1]))
    for part in _parts(latents):
        centred = part - mean
        products += centred.T @ centred
    variances, vectors = np.linalg.eigh(products)
    variances, vectors = np.maximum(variances[::-1], 0.0), vectors[:, ::-1]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
    vectors = vectors * np.where(largest < 0, -1.0, 1.0)
    total = max(float(variances.sum()), np.finfo(np.float64).tiny)
    return PrincipalAxes(mean, np.ascontiguousarray(vectors.T), variances / total)


def _parts(latents: NDArray[np.floating]) -> Iterator[NDArray[np.float64]]:
    for first in range(0, len(latents), _ROWS):
        yield latents[first : first + _ROWS].astype(np.float64)
