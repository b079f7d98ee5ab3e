"""Latents along a line through many particles, and particles near places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.analysis.latent_axes import PrincipalAxes

PERCENTILES: Final = np.arange(5.0, 100.0, 10.0)
"""Percent of the particles below each of the ten places of a traversal."""

_ROWS: Final = 65_536


def values_between(
    scores: NDArray[np.floating], limits: tuple[float, float], n_values: int
) -> NDArray[np.float64]:
    """(n,) evenly spaced values between two percentiles of scores (B,)."""
    low, high = np.percentile(scores, limits)
    return np.linspace(float(low), float(high), n_values)


def values_at(
    scores: NDArray[np.floating], percentiles: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n,) values of scores (B,) at percentiles."""
    return np.asarray(np.percentile(scores, percentiles), np.float64)


def traversal(axes: PrincipalAxes, axis: int, scores: NDArray[np.floating]) -> NDArray[np.float32]:
    """(10, Z) latents at percentiles 5, 15 ... 95 of the scores (B,) along an axis."""
    return axes.latents_at(axis, values_at(scores, PERCENTILES))


def nearest_particles(
    latents: NDArray[np.float32], places: NDArray[np.float32]
) -> NDArray[np.int64]:
    """(n,) rows of latents (B, Z) nearest to places (n, Z), the first of equals."""
    best = np.full(len(places), np.inf)
    rows = np.zeros(len(places), np.int64)
    for first in range(0, len(latents), _ROWS):
        apart = _squared_distances(places, latents[first : first + _ROWS])
        here = apart.argmin(axis=1)
        least = apart[np.arange(len(places)), here]
        rows = np.where(least < best, first + here, rows)
        best = np.minimum(best, least)
    return rows


def count_within(
    latents: NDArray[np.float32], places: NDArray[np.float32], radius: float
) -> NDArray[np.int64]:
    """(n,) latents (B, Z) within a distance of each of the places (n, Z)."""
    counts = np.zeros(len(places), np.int64)
    for first in range(0, len(latents), _ROWS):
        apart = _squared_distances(places, latents[first : first + _ROWS])
        counts += (apart <= radius**2).sum(axis=1)
    return counts


def _squared_distances(
    places: NDArray[np.float32], latents: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(n, b), added up by dimension so that equal latents are exactly 0 apart."""
    apart = np.zeros((len(places), len(latents)))
    for place, latent in zip(places.T, latents.T, strict=True):
        apart += np.square(place[:, None].astype(np.float64) - latent)
    return apart
