"""Who is who: particles and images by key, never by row.

A particle is the pair (tomogram, particle name), an image is the pair (particle, image name).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.core.particles.keyed_random import join_keys, particle_keys, text_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet


class NamedParticles(Protocol):
    """Anything with one row for each particle and its pair of names."""

    @property
    def tomogram(self) -> NDArray[np.object_]:
        """(B,) tomogram names."""

    @property
    def name(self) -> NDArray[np.object_]:
        """(B,) particle names."""


def image_keys(particles: ParticleSet) -> NDArray[np.uint64]:
    """(M,) keys of the images of a set, for keyed random numbers."""
    of_particle = particle_keys(particles.tomogram, particles.name)
    return join_keys(of_particle[particles.particle_of_image], text_keys(particles.image_name))


def particles_digest(particles: NamedParticles) -> str:
    """Hash of the names of all particles in their order: equal for equal rows of results."""
    digest = hashlib.sha256()
    for tomogram, name in zip(particles.tomogram.tolist(), particles.name.tolist(), strict=True):
        digest.update(f"{tomogram}\0{name}\n".encode())
    return digest.hexdigest()


def unordered_digest(particles: NamedParticles) -> str:
    """Hash of the names of all particles: equal for the same particles in any order."""
    keys = np.sort(particle_keys(particles.tomogram, particles.name))
    return hashlib.sha256(keys.astype("<u8").tobytes()).hexdigest()


def some_poses(particles: ParticleSet, n: int = 32) -> dict[str, list[float]]:
    """Pose of the first image of a few particles, nine numbers by the key of each.

    The same particles are chosen in any order of the input, so that two inputs can be compared.

    Args:
        particles: with at least one image each.
        n: how many.
    """
    keys = particle_keys(particles.tomogram, particles.name)
    rows = np.argsort(keys)[:n]
    poses = particles.images.rotation[particles.starts[rows]].reshape(-1, 9).astype(float)
    return {
        f"{key:016x}": np.round(pose, 4).tolist()
        for key, pose in zip(keys[rows].tolist(), poses, strict=True)
    }


def match_particles(have: NamedParticles, want: NamedParticles) -> NDArray[np.int64]:
    """Where the wanted particles are among those at hand, one to one.

    Args:
        have: particles to look in; more than wanted are allowed.
        want: particles to find.

    Returns:
        (B,) rows of ``have``, in the order of ``want``.

    Raises:
        DataError: a particle is wanted and not there, or is twice on one side.
    """
    there, wanted = _index(have, "at hand"), _index(want, "wanted")
    rows = there.get_indexer(wanted)
    missing = np.flatnonzero(rows < 0)
    if len(missing):
        tomogram, name = wanted[missing[0]]
        raise DataError(
            f"particle {name!r} of tomogram {tomogram!r} is wanted and not among the "
            f"{len(there)} particles at hand ({len(missing)} such of {len(wanted)}); "
            f"use results and particles of the same run"
        )
    return rows.astype(np.int64)


def _index(particles: NamedParticles, role: str) -> pd.MultiIndex:
    """The name pairs, which must be unique."""
    index = pd.MultiIndex.from_arrays([particles.tomogram, particles.name])
    if not index.is_unique:
        tomogram, name = index[index.duplicated()][0]
        raise DataError(
            f"particle {name!r} of tomogram {tomogram!r} is there twice among those {role}; "
            f"remove one of them"
        )
    return index
