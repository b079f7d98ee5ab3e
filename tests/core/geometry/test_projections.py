"""Laws of the projection models."""

from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.geometry.projections import (
    heights_a,
    is_rotation,
    nearest_rotations,
    particle_orientations,
    rotations_from_stage_angles,
    shifts_a,
    stage_angles_from_rotations,
)
from tomodrgn.core.geometry.rotations import matrices_from_euler, random_rotations


@pytest.fixture
def angles_deg() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform([-10, -80, -180], [10, 80, 180], (50, 3))


def test_stage_angles_survive_a_round_trip(angles_deg: np.ndarray) -> None:
    rotations = rotations_from_stage_angles(*angles_deg.T)
    np.testing.assert_allclose(stage_angles_from_rotations(rotations), angles_deg, atol=1e-9)


def test_stage_angles_give_proper_rotations(angles_deg: np.ndarray) -> None:
    assert is_rotation(rotations_from_stage_angles(*angles_deg.T)).all()


def test_a_tilt_moves_a_point_off_the_axis_along_the_beam() -> None:
    rotation = rotations_from_stage_angles(*np.array([[0.0], [30.0], [0.0]]))
    assert heights_a(rotation, np.array([[100.0, 0, 0]])) == pytest.approx(-50)
    assert heights_a(rotation, np.array([[0, 100.0, 0]])) == pytest.approx(0)


def test_in_plane_rotation_leaves_heights(angles_deg: np.ndarray) -> None:
    points = np.random.default_rng(1).normal(size=(50, 3))
    x, y, z = angles_deg.T
    turned = heights_a(rotations_from_stage_angles(x, y, z), points)
    np.testing.assert_allclose(turned, heights_a(rotations_from_stage_angles(x, y, 0 * z), points))


def test_untilted_shift_is_the_origin() -> None:
    origin = np.array([[3.0, -2.0, 7.0]])
    np.testing.assert_allclose(shifts_a(np.eye(3)[None], origin), [[3.0, -2.0]])


def test_orientation_from_extraction_alone_or_refinement_alone_is_the_same() -> None:
    euler = np.random.default_rng(2).uniform(-90, 90, (9, 3))
    zero = np.zeros_like(euler)
    expected = matrices_from_euler(euler)
    np.testing.assert_allclose(particle_orientations(euler, zero), expected, atol=1e-12)
    np.testing.assert_allclose(particle_orientations(zero, euler), expected, atol=1e-12)


def test_rounded_matrices_become_rotations_again() -> None:
    exact = random_rotations(20, np.random.default_rng(3))
    rounded = exact.round(3)
    assert is_rotation(rounded).all()
    np.testing.assert_allclose(nearest_rotations(rounded), exact, atol=2e-3)
    gram = nearest_rotations(rounded) @ np.swapaxes(nearest_rotations(rounded), 1, 2)
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(3), gram.shape), atol=1e-12)


def test_a_mirror_is_no_rotation() -> None:
    assert not is_rotation(np.diag([1.0, 1.0, -1.0])[None]).any()
