"""Which images belong to which volume: classes by label, and two halves of each.

Halves are drawn by the keys of particles and images, so that the order of the input does not matter
and a half is the same in every run with a seed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.particles.identity import image_keys
from tomodrgn.core.particles.keyed_random import keyed_uniform, particle_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet

_UPSTREAM_HALVES = (1, 2)

logger = logging.getLogger(__name__)


def halves_by_particle(
    particles: ParticleSet, classes: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """(M,) half 0 or 1 of each image; all images of a particle share theirs.

    Args:
        particles: B particles; their upstream half sets are kept where every particle has one.
        classes: (B,) each class is halved by itself.
        seed: of the draw where upstream programs made none.
    """
    upstream = particles.half_set
    if upstream is not None and np.isin(upstream, _UPSTREAM_HALVES).all():
        logger.info("half sets are those of upstream refinement")
        halves = upstream.astype(np.int64) - 1
    else:
        keys = particle_keys(particles.tomogram, particles.name)
        draw = keyed_uniform(seed, "half set", 0, keys, 1)[:, 0]
        halves = _halve_groups(classes, draw)
    return halves[particles.particle_of_image]


def halves_by_tilt(particles: ParticleSet, seed: int) -> NDArray[np.int64]:
    """(M,) half 0 or 1 of each image; each particle has half of its images in each."""
    draw = keyed_uniform(seed, "half set of tilts", 0, image_keys(particles), 1)[:, 0]
    halves = _halve_groups(particles.particle_of_image, draw)
    keys = particle_keys(particles.tomogram, particles.name)
    # of an odd count either half may be the larger
    swaps = np.rint(keyed_uniform(seed, "larger half", 0, keys, 1)[:, 0]).astype(np.int64)
    return halves ^ swaps[particles.particle_of_image]


def require_both_halves(
    volume_index: NDArray[np.int64], names: Sequence[str], *, way_out: str
) -> None:
    """Refuse volumes of which one half has no images.

    Args:
        volume_index: (M,) twice the class plus the half.
        names: what the classes are called.
        way_out: what the user can do.

    Raises:
        DataError: one half of a class is empty.
    """
    n_images = np.bincount(volume_index, minlength=2 * len(names)).reshape(-1, 2)
    for name, (first, second) in zip(names, n_images.tolist(), strict=True):
        if not (first and second):
            raise DataError(
                f"{name}: its half sets have {first} and {second} images, so that they cannot be "
                f"compared; {way_out}"
            )


def _halve_groups(groups: NDArray[np.int64], draw: NDArray[np.float64]) -> NDArray[np.int64]:
    """0 or 1 for each member of each group, in turn in the order of a draw."""
    order = np.lexsort((draw, groups))
    starts = np.flatnonzero(np.diff(groups[order], prepend=groups[order][:1] - 1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    halves = np.empty(len(order), dtype=np.int64)
    halves[order] = place % 2
    return halves
