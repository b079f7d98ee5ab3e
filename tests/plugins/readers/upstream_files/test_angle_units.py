"""Angles in radians are told where no degrees can look so, and only there."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.plugins.readers.upstream_files.angle_units import (
    refuse_poses_in_radians,
    refuse_tilts_in_radians,
    say_poses_in_radians,
)

PATH = Path("particles.star")
TILT_DEG = np.arange(-60.0, 61.0, 12.0)
EULER_DEG = np.random.default_rng(1).uniform((-180, 0, -180), (180, 180, 180), (33, 3))


def test_tilts_in_radians_are_refused() -> None:
    refuse_tilts_in_radians(TILT_DEG, "rlnTomoYTilt", PATH)
    with pytest.raises(DataError, match=r"rlnTomoYTilt holds 11 tilts from -1.047 to 1.047 .*mult"):
        refuse_tilts_in_radians(np.deg2rad(TILT_DEG), "rlnTomoYTilt", PATH)


@pytest.mark.parametrize("tilt_deg", [np.zeros(9), np.array([-1.0, 0, 1.0]), TILT_DEG / 300])
def test_series_without_tilts_pass(tilt_deg: np.ndarray) -> None:
    refuse_tilts_in_radians(tilt_deg, "rlnTomoYTilt", PATH)


def test_poses_of_tilted_images_in_radians_are_refused() -> None:
    tilt_deg = np.tile(TILT_DEG, 3)
    refuse_poses_in_radians(EULER_DEG, tilt_deg, PATH)
    with pytest.raises(DataError, match=r"rlnAngleRot.* in all 33 rows, while tilts span 120 deg"):
        refuse_poses_in_radians(np.deg2rad(EULER_DEG), tilt_deg, PATH)
    refuse_poses_in_radians(np.deg2rad(EULER_DEG), tilt_deg / 4, PATH)  # may be degrees


def test_small_angles_turn_images_by_less_than_the_tilts_that_prove_radians() -> None:
    corners = 2 * np.pi * np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, 8).T
    rotation = matrices_from_euler(corners)
    turn = np.einsum("aij,bij->ab", rotation, rotation)
    assert np.rad2deg(np.arccos((turn.min() - 1) / 2)) < 40


def test_poses_of_particles_in_radians_are_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        say_poses_in_radians(EULER_DEG, PATH)
        say_poses_in_radians(EULER_DEG / 180, PATH)  # refined a little, from 0
        say_poses_in_radians(np.zeros((33, 3)), PATH)
        assert not caplog.messages
        say_poses_in_radians(np.deg2rad(EULER_DEG), PATH)
    assert "in all 33 rows; if they are in radians, multiply them by 57.29578" in caplog.text
