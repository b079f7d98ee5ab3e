"""Particles join one to one by their names, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.particles.identity import (
    image_keys,
    match_particles,
    particles_digest,
    some_poses,
    unordered_digest,
)
from tomodrgn.core.particles.selection import take_particles

if TYPE_CHECKING:
    from tomodrgn.core.particles.tables import ParticleSet


def test_particles_are_found_whatever_their_order(
    particles: ParticleSet, shuffled_particles: ParticleSet
) -> None:
    rows = match_particles(particles, shuffled_particles)
    assert particles.tomogram[rows].tolist() == shuffled_particles.tomogram.tolist()
    assert particles.name[rows].tolist() == shuffled_particles.name.tolist()


def test_more_particles_than_wanted_are_allowed(particles: ParticleSet) -> None:
    some = take_particles(particles, np.array([False, True, True]), "unused")
    assert match_particles(particles, some).tolist() == [1, 2]


def test_a_wanted_particle_that_is_not_there_is_named(particles: ParticleSet) -> None:
    some = take_particles(particles, np.array([False, True, True]), "unused")
    with pytest.raises(DataError, match=r"'p0' of tomogram 'a' .* 2 particles at hand \(1 such"):
        match_particles(some, particles)


def test_particles_that_are_there_twice_are_refused(particles: ParticleSet) -> None:
    twins = replace(particles, tomogram=np.array(["a", "a", "a"], dtype=object))
    with pytest.raises(DataError, match="'p0' of tomogram 'a' is there twice among those wanted"):
        match_particles(particles, twins)
    with pytest.raises(DataError, match="among those at hand"):
        match_particles(twins, particles)


def test_every_image_has_its_own_key(
    particles: ParticleSet, shuffled_particles: ParticleSet
) -> None:
    keys = image_keys(particles)
    assert len(set(keys.tolist())) == particles.n_images
    assert sorted(image_keys(shuffled_particles)) == sorted(keys)


def test_digests_and_poses_of_the_same_particles_agree_in_any_order(
    particles: ParticleSet, shuffled_particles: ParticleSet
) -> None:
    assert particles_digest(particles) != particles_digest(shuffled_particles)
    assert unordered_digest(particles) == unordered_digest(shuffled_particles)
    assert some_poses(particles, 2) == some_poses(shuffled_particles, 2)
    renamed = replace(particles, name=np.array(["p0", "p1", "p2"], dtype=object))
    assert unordered_digest(renamed) != unordered_digest(particles)
