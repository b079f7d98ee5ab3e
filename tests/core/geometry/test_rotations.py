from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tomodrgn.core.geometry.rotations import (
    euler_from_matrices,
    matrices_from_euler,
    random_rotations,
)


@pytest.fixture
def euler_deg() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform([-180, 0, -180], [180, 180, 180], (200, 3))


def test_matrices_are_those_of_an_independent_program(euler_deg: np.ndarray) -> None:
    theirs = Rotation.from_euler("ZYZ", euler_deg, degrees=True).inv().as_matrix()
    np.testing.assert_allclose(matrices_from_euler(euler_deg), theirs, atol=1e-12)


def test_euler_angles_survive_a_round_trip(euler_deg: np.ndarray) -> None:
    back = euler_from_matrices(matrices_from_euler(euler_deg))
    np.testing.assert_allclose(back, euler_deg, atol=1e-7)


@pytest.mark.parametrize("tilt", [0.0, 180.0])
def test_rotations_survive_gimbal_lock(tilt: float) -> None:
    matrices = matrices_from_euler(np.array([[30.0, tilt, 40.0], [-100.0, tilt, 0.0]]))
    back = matrices_from_euler(euler_from_matrices(matrices))
    np.testing.assert_allclose(back, matrices, atol=1e-12)


def test_random_rotations_are_rotations_in_all_directions() -> None:
    matrices = random_rotations(4000, np.random.default_rng(1))
    products = matrices @ np.swapaxes(matrices, 1, 2)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), products.shape), atol=1e-12)
    assert np.linalg.det(matrices) == pytest.approx(1)
    assert np.abs(matrices.mean(axis=0)).max() < 0.05  # 3 standard errors of 1/sqrt(3 n)
