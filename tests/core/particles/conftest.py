"""A small ragged set made by hand, and the same set from a shuffled input."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.particles.tables import ImageTable, OpticsGroup, ParticleSet

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTS = (4, 2, 3)
NAMES = ("p0", "p1", "p0")
TOMOGRAMS = ("a", "a", "b")


def _make_set(row_of_image: np.ndarray, particle_order: list[int]) -> ParticleSet:
    """The set whose image i (by particle, then dose) stands in row ``row_of_image[i]``."""
    starts = np.concatenate([[0], np.cumsum(COUNTS)])
    images = np.concatenate([np.arange(starts[p], starts[p + 1]) for p in particle_order])
    n = len(images)
    dose = np.concatenate([3.0 * np.arange(count) for count in COUNTS]).astype(np.float32)[images]
    return ParticleSet(
        source=Path("input.star"),
        tomogram=np.array([TOMOGRAMS[p] for p in particle_order], dtype=object),
        name=np.array([NAMES[p] for p in particle_order], dtype=object),
        source_particle=np.arange(len(COUNTS)),
        counts=np.array([COUNTS[p] for p in particle_order]),
        images=ImageTable(
            rotation=np.broadcast_to(np.eye(3, dtype=np.float32), (n, 3, 3)),
            shift_px=np.stack([images, images], axis=-1).astype(np.float32),
            dose_e_per_a2=dose,
            tilt_deg=dose,
            voltage_kv=np.full(n, 300, dtype=np.float32),
            optics=np.zeros(n, dtype=np.int64),
        ),
        image_name=np.array([f"{image}@s.mrcs" for image in images], dtype=object),
        source_image=row_of_image[images],
        optics=(OpticsGroup(name="1", pixel_size_a=4.0, box_size_px=8),),
        rows_read=n + 1,
        rejected={"dark": 1},
    )


@pytest.fixture
def particles() -> ParticleSet:
    """Particles of 4, 2 and 3 images; rows of the input descend in dose within a particle."""
    return _make_set(np.array([3, 2, 1, 0, 5, 4, 8, 7, 6]), [0, 1, 2])


@pytest.fixture
def shuffled_particles() -> ParticleSet:
    """The same particles in another order, from other rows."""
    return _make_set(np.array([9, 0, 7, 2, 6, 1, 4, 8, 5]), [2, 0, 1])


@pytest.fixture
def key_of_image() -> Callable[[ParticleSet], list[tuple[str, str, str]]]:
    """Lists the names of every image of a set."""

    def keys(particles: ParticleSet) -> list[tuple[str, str, str]]:
        of = particles.particle_of_image
        columns = (particles.tomogram[of], particles.name[of], particles.image_name)
        return list(zip(*columns, strict=True))

    return keys
