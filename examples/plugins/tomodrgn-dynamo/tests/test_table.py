"""Angles mean what they mean in Dynamo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tomodrgn_dynamo.table import euler_angles, orientations, read_table

from tomodrgn.plugin import DataError, matrices_from_euler
from tomodrgn.testing import random_rotations

if TYPE_CHECKING:
    from pathlib import Path


def test_angles_survive_a_round_trip() -> None:
    rotations = random_rotations(100, np.random.default_rng(0))
    np.testing.assert_allclose(orientations(euler_angles(rotations)), rotations, atol=1e-12)


def test_matrix_is_the_inverse_of_dynamos() -> None:
    """``dynamo_euler2matrix([30, 60, 75])``, as the tests of the package eulerangles state it."""
    matrix = [[-0.0173, -0.5477, 0.8365], [0.9012, -0.3709, -0.2241], [0.4330, 0.7500, 0.5000]]
    (orientation,) = orientations(np.array([[30.0, 60.0, 75.0]]))
    np.testing.assert_allclose(orientation, np.transpose(matrix), atol=1e-4)


def test_angles_agree_with_those_of_relion() -> None:
    """A pair that gave the same reconstruction in both programs (package eulerangles)."""
    dynamo = orientations(np.array([[-47.2730, 1.1777, -132.3000]]))
    relion = matrices_from_euler(np.array([[137.7000, 1.1777, 42.7270]]))
    np.testing.assert_allclose(dynamo, relion, atol=1e-9)


def test_reference_is_tilted_and_then_turned_about_z() -> None:
    """Without narot, the axis of the reference leans by tilt and is turned by minus tdrot."""
    (orientation,) = orientations(np.array([[20.0, 30.0, 0.0]]))
    turn, lean = np.deg2rad([-20.0, -30.0])
    axis = [np.sin(turn) * np.sin(lean), -np.cos(turn) * np.sin(lean), np.cos(lean)]
    np.testing.assert_allclose(orientation @ [0, 0, 1], axis, atol=1e-12)


def test_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "particles.tbl"
    path.write_text("1 2 3\n")
    with pytest.raises(DataError, match="holds 1 rows of 3 numbers"):
        read_table(path)


def test_tag_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "particles.tbl"
    np.savetxt(path, np.ones((2, 26)))
    with pytest.raises(DataError, match="tag 1 is there 2 times"):
        read_table(path)
