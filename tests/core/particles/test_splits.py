"""Which images are held out depends on names and the seed only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.particles.splits import train_mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.particles.tables import ParticleSet


@pytest.mark.parametrize(
    ("fraction", "n_train"), [(1.0, [4, 2, 3]), (0.5, [2, 1, 2]), (0.01, [1, 1, 1])]
)
def test_each_particle_gives_its_part(
    fraction: float, n_train: list[int], particles: ParticleSet
) -> None:
    mask = train_mask(particles, fraction, 0)
    assert np.bincount(particles.particle_of_image, mask).tolist() == n_train


def test_the_order_of_the_input_does_not_matter(
    particles: ParticleSet, shuffled_particles: ParticleSet, key_of_image: Callable
) -> None:
    for seed in range(5):
        one, other = (
            {key_of_image(p)[row] for row in np.flatnonzero(train_mask(p, 0.5, seed))}
            for p in (particles, shuffled_particles)
        )
        assert one == other


def test_seeds_give_other_splits(particles: ParticleSet) -> None:
    splits = {tuple(train_mask(particles, 0.5, seed)) for seed in range(20)}
    assert len(splits) > 3


def test_particles_of_one_name_in_two_tomograms_are_drawn_apart(particles: ParticleSet) -> None:
    twins = np.array([train_mask(particles, 0.34, seed)[[0, 6]] for seed in range(40)])
    assert (twins[:, 0] != twins[:, 1]).any()
