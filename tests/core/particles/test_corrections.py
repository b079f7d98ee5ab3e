"""Corrections of poses: how they compose, in which frame, and what they leave alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tomodrgn.core.particles.corrections import (
    Corrections,
    corrections_between,
    no_corrections,
)
from tomodrgn.core.particles.tables import ParticleSet


@pytest.fixture
def placed(particles: ParticleSet) -> ParticleSet:
    """A set with orientations and places, whose images follow from them."""
    rng = np.random.default_rng(3)
    orientation = Rotation.random(particles.n_particles, rng=rng).as_matrix()
    stage = Rotation.random(particles.n_images, rng=rng).as_matrix()
    images = replace(particles.images, rotation=stage @ orientation[particles.particle_of_image])
    position = rng.normal(0, 900, (particles.n_particles, 3))
    return replace(particles, images=images, orientation=orientation, position_a=position)


@pytest.fixture
def corrections(placed: ParticleSet) -> Corrections:
    rng = np.random.default_rng(4)
    n = placed.n_particles
    return replace(
        no_corrections(placed),
        rotation=Rotation.from_rotvec(rng.normal(0, 0.1, (n, 3))).as_matrix(),
        shift_px=rng.normal(0, 1, (n, 3)),
        log_scale=rng.normal(0, 0.3, n),
    )


def test_no_corrections_leave_poses_as_they_are(placed: ParticleSet) -> None:
    same = no_corrections(placed).of(placed)
    np.testing.assert_allclose(same.images.rotation, placed.images.rotation, atol=1e-7)
    assert not same.images.further_shift_px.any()
    np.testing.assert_array_equal(same.images.scale, 1)
    np.testing.assert_array_equal(same.position_a, placed.position_a)


def test_images_and_particles_are_corrected_alike(
    placed: ParticleSet, corrections: Corrections
) -> None:
    found = corrections.of(placed)
    owner = placed.particle_of_image
    stage = placed.images.rotation @ placed.orientation[owner].mT
    np.testing.assert_allclose(found.images.rotation, stage @ found.orientation[owner], atol=1e-6)
    moved_a = placed.position_a[owner] - found.position_a[owner]  # its content moves the other way
    seen_px = np.einsum("mij,mj->mi", stage, moved_a)[:, :2] / placed.pixel_size_a
    np.testing.assert_allclose(found.images.further_shift_px, seen_px, atol=1e-5)


def test_a_point_of_the_particle_is_seen_where_it_was(
    placed: ParticleSet, corrections: Corrections
) -> None:
    found = corrections.of(placed)
    owner = placed.particle_of_image
    point = np.array([3.0, -5.0, 2.0])  # in the corrected reference
    before = np.einsum("bij,j->bi", corrections.rotation.mT, point) - np.einsum(
        "bij,bj->bi", corrections.rotation.mT, corrections.shift_px
    )
    seen = np.einsum("mij,mj->mi", placed.images.rotation, before[owner])[:, :2]
    again = np.einsum("mij,j->mi", found.images.rotation, point)[:, :2]
    np.testing.assert_allclose(again - found.images.further_shift_px, seen, atol=1e-5)


def test_a_corrected_set_says_by_what(placed: ParticleSet, corrections: Corrections) -> None:
    once = corrections.of(placed)
    assert once.corrections is corrections
    twice = corrections.of(once).corrections
    assert twice is not None
    np.testing.assert_allclose(twice.shift_px, corrections.after(corrections).shift_px)


def test_scales_multiply(placed: ParticleSet, corrections: Corrections) -> None:
    tilts = np.linspace(-0.2, 0.2, placed.n_images)
    found = replace(corrections, tilt_log_scale=tilts).of(placed)
    expected = np.exp(corrections.log_scale[placed.particle_of_image] + tilts)
    np.testing.assert_allclose(found.images.scale, expected, rtol=1e-6)


def test_corrections_one_after_another_are_one(
    placed: ParticleSet, corrections: Corrections
) -> None:
    rng = np.random.default_rng(5)
    tilts = rng.normal(0, 0.3, (placed.n_images, 2))
    first = replace(corrections, tilt_shift_px=tilts, tilt_log_scale=tilts[:, 0])
    second = replace(
        first,
        rotation=Rotation.from_rotvec(rng.normal(0, 0.1, (placed.n_particles, 3))).as_matrix(),
        shift_px=rng.normal(0, 1, (placed.n_particles, 3)),
    )
    one, both = second.after(first).of(placed), second.of(first.of(placed))
    for name in ("rotation", "further_shift_px", "scale"):
        expected = getattr(one.images, name)
        np.testing.assert_allclose(getattr(both.images, name), expected, atol=2e-6, err_msg=name)
    np.testing.assert_allclose(both.orientation, one.orientation, atol=1e-12)
    np.testing.assert_allclose(both.position_a, one.position_a, atol=1e-9)


def test_what_refined_poses_differ_by_is_found_from_both(
    placed: ParticleSet, corrections: Corrections
) -> None:
    refined = corrections.of(placed).images
    rotation, shift_px = corrections_between(
        placed.images.rotation, refined.rotation, refined.further_shift_px, placed.starts[:-1]
    )
    np.testing.assert_allclose(rotation, corrections.rotation, atol=1e-6)
    np.testing.assert_allclose(shift_px, corrections.shift_px, atol=1e-5)
