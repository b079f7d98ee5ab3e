"""Weighting schemes: how the loss divides each spatial frequency among the tilts of a particle.

Particles whose images agree in dose, tilt and voltage share a scheme. Frequencies are in 1/A.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.particles.keyed_random import join_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import LossWeighting
    from tomodrgn.core.particles.tables import ParticleSet

logger = logging.getLogger(__name__)

MAX_SCHEMES = 12
_N_FREQUENCIES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightingScheme:
    """Loss weights of T tilt images that some particles have in common.

    Attributes:
        dose_e_per_a2: (T,) ascending.
        tilt_deg: (T,).
        freqs_per_a: (F,) ascending.
        weights: (T, F) in [0, 1].
        n_particles: how many particles share them.
    """

    dose_e_per_a2: NDArray[np.float32]
    tilt_deg: NDArray[np.float32]
    freqs_per_a: NDArray[np.float64]
    weights: NDArray[np.float32]
    n_particles: int


def weighting_schemes(
    particles: ParticleSet,
    weightings: Sequence[LossWeighting],
    *,
    largest_radius_px: float,
    most: int = MAX_SCHEMES,
) -> list[WeightingScheme]:
    """The schemes of a particle set, the most frequent first.

    Args:
        particles: the set.
        weightings: loss weightings, at least one; their weights are multiplied.
        largest_radius_px: where the frequencies end, in Fourier pixels; they begin at 1.
        most: rarer schemes than these many are left out, and logged.
    """
    groups = group_by_tilts(particles)
    sizes = np.bincount(groups)
    if len(sizes) > most:
        logger.info("%d weighting schemes, %d most frequent shown", len(sizes), most)
    _, examples = np.unique(groups, return_index=True)
    radius_px = np.linspace(1, largest_radius_px, _N_FREQUENCIES)
    return [
        _scheme(particles, weightings, radius_px, example=int(example), n_particles=int(size))
        for example, size in zip(examples[:most], sizes[:most], strict=True)
    ]


def group_by_tilts(particles: ParticleSet) -> NDArray[np.int64]:
    """(B,) group of each particle; groups agree in the dose, tilt and voltage of every image.

    Groups are numbered from 0 in descending size, those of equal size by first appearance.
    """
    images, starts = particles.images, particles.starts[:-1]
    place = np.arange(particles.n_images) - np.repeat(starts, particles.counts)
    keys = place.astype(np.uint64)
    for column in (images.dose_e_per_a2, images.tilt_deg, images.voltage_kv):
        values = column.astype(np.float64) + 0.0  # which makes zeros positive
        keys = join_keys(keys, values.view(np.uint64))
    of_particle = np.add.reduceat(keys, starts)
    _, first, found, sizes = np.unique(
        of_particle, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return rank[found]


def relative_weights(weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """(T, F) share of each tilt in the weight of each frequency; 0 where no tilt has any."""
    shares = weights.astype(np.float64)
    total = shares.sum(0)
    np.divide(shares, total, out=shares, where=total > 0)
    return shares


def _scheme(
    particles: ParticleSet,
    weightings: Sequence[LossWeighting],
    radius_px: NDArray[np.float64],
    *,
    example: int,
    n_particles: int,
) -> WeightingScheme:
    """The scheme of one particle."""
    rows = slice(particles.starts[example], particles.starts[example + 1])
    images = particles.images.convert(lambda column: torch.from_numpy(column[rows]))
    radius = torch.from_numpy(radius_px).float()
    weights = reduce(mul, (weighting.weights(images, radius) for weighting in weightings))
    return WeightingScheme(
        dose_e_per_a2=particles.images.dose_e_per_a2[rows],
        tilt_deg=particles.images.tilt_deg[rows],
        freqs_per_a=radius_px / (particles.box_size_px * particles.pixel_size_a),
        weights=weights.numpy(),
        n_particles=n_particles,
    )
