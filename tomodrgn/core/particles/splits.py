"""Which tilt images a run trains on, and which it holds out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.particles.identity import image_keys
from tomodrgn.core.particles.keyed_random import keyed_uniform
from tomodrgn.core.particles.selection import rank_within_particle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet


def train_mask(particles: ParticleSet, fraction: float, seed: int) -> NDArray[np.bool_]:
    """The images of each particle to train on, drawn without replacement.

    Args:
        particles: B particles with n images each.
        fraction: part of the images, in (0, 1]; rint(n * fraction), but at least one, are taken.
        seed: seed of the run; the draw also depends on names, and on nothing else.

    Returns:
        (M,) True for the images to train on.
    """
    n_train = np.maximum(np.rint(particles.counts * fraction), 1)
    draw = keyed_uniform(seed, "train split", 0, image_keys(particles), 1)[:, 0]
    is_train: NDArray[np.bool_] = rank_within_particle(particles, draw) < np.repeat(
        n_train, particles.counts
    )
    return is_train
