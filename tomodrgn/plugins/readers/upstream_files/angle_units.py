"""Angles that were written in radians where degrees are meant, told by what they cannot be.

Tilt series span tens of degrees; a span of a radian is no tilt series. Images of a particle are
turned against one another by their tilts. Only Euler angles of particles may all be small.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_REMEDY: Final = "if they are in radians, multiply them by 57.29578"
_LARGEST_TILT: Final = 1.6  # radian, a little above 90 degrees
_LEAST_SPAN: Final = 0.5  # radian, 29 degrees
_FEWEST_TILTS: Final = 5
_FULL_TURN: Final = 2.001 * np.pi
_PROVEN_SPAN_DEG: Final = 40.0
"""Three angles of up to 2 pi degrees each turn an image by 19 degrees, two apart by 38 at most."""
_FEWEST_PARTICLES: Final = 16


def refuse_tilts_in_radians(tilt_deg: NDArray[np.floating], column: str, path: Path) -> None:
    """Refuse tilts of a series that has many of them, all within 1.6 of 0.

    Args:
        tilt_deg: (n,) as stated.
        column: which states them.
        path: the file, for errors.

    Raises:
        DataError: they span 0.5 to 3.2, in five steps or more.
    """
    if len(tilt_deg) < _FEWEST_TILTS or np.abs(tilt_deg).max() > _LARGEST_TILT:
        return
    n_tilts = len(np.unique(np.round(tilt_deg, 3)))
    if np.ptp(tilt_deg) > _LEAST_SPAN and n_tilts >= _FEWEST_TILTS:
        raise DataError(
            f"{path}: column {column} holds {n_tilts} tilts from {tilt_deg.min():.4g} to "
            f"{tilt_deg.max():.4g} degrees, which is no tilt series; {_REMEDY}"
        )


def refuse_poses_in_radians(
    euler_deg: NDArray[np.floating], tilt_deg: NDArray[np.floating], path: Path
) -> None:
    """Refuse Euler angles of images that cannot be apart by as much as their tilts are.

    Args:
        euler_deg: (rows, 3) of each image.
        tilt_deg: (rows,) of the stage.
        path: the file, for errors.

    Raises:
        DataError: no angle is above 2 pi, they differ, and tilts span more than 40 degrees.
    """
    if _are_small(euler_deg) and np.ptp(tilt_deg) > _PROVEN_SPAN_DEG:
        raise DataError(
            f"{path}: rlnAngleRot, rlnAngleTilt and rlnAnglePsi are {euler_deg.min():.4g} to "
            f"{euler_deg.max():.4g} in all {len(euler_deg)} rows, while tilts span "
            f"{np.ptp(tilt_deg):.4g} degrees, by which images of a particle are turned; {_REMEDY}"
        )


def say_poses_in_radians(euler_deg: NDArray[np.floating], path: Path) -> None:
    """Warn of Euler angles (B, 3) of 16 particles or more that fill a full turn in radians."""
    if len(euler_deg) < _FEWEST_PARTICLES or not _are_small(euler_deg):
        return
    if (np.ptp(euler_deg[:, [0, 2]], axis=0) > np.pi).all():
        logger.warning(
            "%s: rlnAngleRot, rlnAngleTilt and rlnAnglePsi are %.4g to %.4g in all %d rows; %s",
            path, euler_deg.min(), euler_deg.max(), len(euler_deg), _REMEDY,
        )  # fmt: skip


def _are_small(euler_deg: NDArray[np.floating]) -> bool:
    """Whether no angle is above 2 pi, and not all rows are alike."""
    if not len(euler_deg) or np.abs(euler_deg).max() > _FULL_TURN:
        return False
    return bool(np.ptp(euler_deg, axis=0).any())
