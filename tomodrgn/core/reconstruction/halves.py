"""Which images belong to which volume: classes by label, and two halves of each.

Halves are drawn by the keys of particles and images, so that the order of the input does not matter
and a half is the same in every run with a seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.particles.half_sets import halve_groups, halves_of_particles
from tomodrgn.core.particles.identity import image_keys
from tomodrgn.core.particles.keyed_random import keyed_uniform, particle_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet


_ONE_STRUCTURE: Final = "look at one structure (backproject_voxel)"


def halves_by_particle(
    particles: ParticleSet, classes: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """(M,) half 0 or 1 of each image; all images of a particle share theirs.

    Args:
        particles: B particles; see :func:`~.half_sets.halves_of_particles`.
        classes: (B,) each class is halved by itself.
        seed: of the draw where upstream programs made none.
    """
    return halves_of_particles(particles, classes, seed)[particles.particle_of_image]


def rows_of_halves(
    particles: ParticleSet, seed: int, *, needed: int, what: str, way_out: str = _ONE_STRUCTURE
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows (n,) of the particles of each of two halves.

    Args:
        particles: B particles.
        seed: of the draw where upstream programs made none.
        needed: particles that either half must have.
        what: needs them, with its verb, for the error.
        way_out: what else the user can do than to take more particles.

    Raises:
        DataError: a half has fewer.
    """
    half = halves_of_particles(particles, np.zeros(particles.n_particles, np.int64), seed)
    rows = np.flatnonzero(half == 0), np.flatnonzero(half == 1)
    sizes = [len(part) for part in rows]
    if min(sizes) < needed:
        if sum(sizes) >= 2 * needed and particles.half_set is not None:
            way_out = "remove rlnRandomSubset to have halves of one size drawn"
        raise DataError(
            f"{particles.source}: half sets have {sizes[0]} and {sizes[1]} particles, {what} "
            f"{needed} in each; take more particles, or {way_out}"
        )
    return rows


def halves_by_tilt(particles: ParticleSet, seed: int) -> NDArray[np.int64]:
    """(M,) half 0 or 1 of each image; each particle has half of its images in each."""
    draw = keyed_uniform(seed, "half set of tilts", 0, image_keys(particles), 1)[:, 0]
    halves = halve_groups(particles.particle_of_image, draw)
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
