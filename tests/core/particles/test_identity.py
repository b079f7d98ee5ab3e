"""Particles join one to one by their names, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.particles.identity import image_keys, match_particles
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
