from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.reconstruction.halves import (
    halves_by_particle,
    halves_by_tilt,
    require_both_halves,
)

if TYPE_CHECKING:
    from tomodrgn.core.particles.tables import ParticleSet


def shuffled(particles: ParticleSet) -> tuple[ParticleSet, np.ndarray]:
    """The particles in another order, and the row that each had."""
    order = np.random.default_rng(0).permutation(particles.n_particles)
    images = np.concatenate([np.flatnonzero(particles.particle_of_image == i) for i in order])
    counts = particles.counts[order]
    return replace(particles, counts=counts, **particles.take_rows(order, images)), images


def test_images_of_a_particle_share_their_half(particles: ParticleSet) -> None:
    halves = halves_by_particle(particles, np.zeros(particles.n_particles, np.int64), seed=0)
    each = [set(halves[particles.particle_of_image == i]) for i in range(particles.n_particles)]
    assert all(len(half) == 1 for half in each)
    n_first = sum(half == {0} for half in each)
    assert abs(2 * n_first - particles.n_particles) <= 1


def test_each_class_is_halved(particles: ParticleSet) -> None:
    classes = np.arange(particles.n_particles) % 2
    halves = halves_by_particle(particles, classes, seed=1)
    for label in (0, 1):
        mine = classes[particles.particle_of_image] == label
        assert set(halves[mine]) == {0, 1}


@pytest.mark.parametrize("by_tilt", [True, False])
def test_order_of_the_input_does_not_matter(particles: ParticleSet, by_tilt: bool) -> None:
    def halve(particles: ParticleSet) -> np.ndarray:
        if by_tilt:
            return halves_by_tilt(particles, seed=0)
        return halves_by_particle(particles, np.zeros(particles.n_particles, np.int64), seed=0)

    other, rows = shuffled(particles)
    np.testing.assert_array_equal(halve(other), halve(particles)[rows])


def test_tilts_of_each_particle_are_halved(particles: ParticleSet) -> None:
    halves = halves_by_tilt(particles, seed=0)
    n_second = np.bincount(particles.particle_of_image, halves)
    assert (abs(2 * n_second - particles.counts) <= 1).all()


def test_half_sets_of_refinement_are_kept(particles: ParticleSet) -> None:
    upstream = np.resize([2, 1, 1], particles.n_particles).astype(np.uint8)
    particles = replace(particles, half_set=upstream)
    halves = halves_by_particle(particles, np.zeros(particles.n_particles, np.int64), seed=0)
    np.testing.assert_array_equal(halves, upstream[particles.particle_of_image] - 1)


def test_incomplete_half_sets_are_not_used(particles: ParticleSet) -> None:
    upstream = np.zeros(particles.n_particles, np.uint8)
    particles = replace(particles, half_set=upstream)
    halves = halves_by_particle(particles, np.zeros(particles.n_particles, np.int64), seed=0)
    assert set(halves) == {0, 1}


def test_a_class_without_a_half_is_refused() -> None:
    with pytest.raises(DataError, match="class 7: its half sets have 2 and 0 images"):
        require_both_halves(np.array([0, 1, 2, 2]), ["class 3", "class 7"], way_out="leave it out")
