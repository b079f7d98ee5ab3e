"""Euler angles and rotation matrices, RELION's convention, angles in degrees.

A matrix takes reference coordinates to image coordinates; see :mod:`tomodrgn.core.conventions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def matrices_from_euler(euler_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrices of (Rot, Tilt, Psi) triples.

    Args:
        euler_deg: (..., 3) angles in degrees.

    Returns:
        (..., 3, 3) float64, reference to image coordinates.

    Source:
        RELION's ``Euler_angles2matrix``: Rz(psi) Ry(tilt) Rz(rot) as passive rotations.
    """
    phi, theta, psi = np.moveaxis(np.deg2rad(np.asarray(euler_deg, dtype=np.float64)), -1, 0)
    cf, sf, ct, st, cp, sp = (
        np.cos(phi), np.sin(phi), np.cos(theta), np.sin(theta), np.cos(psi), np.sin(psi),
    )  # fmt: skip
    rows = [
        [cp * ct * cf - sp * sf, cp * ct * sf + sp * cf, -cp * st],
        [-sp * ct * cf - cp * sf, -sp * ct * sf + cp * cf, sp * st],
        [st * cf, st * sf, ct],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def euler_from_matrices(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(Rot, Tilt, Psi) of rotation matrices, the inverse of :func:`matrices_from_euler`.

    At gimbal lock (tilt 0 or 180) only rot + psi or rot - psi is defined; psi is set to 0.

    Args:
        matrices: (..., 3, 3) rotations.

    Returns:
        (..., 3) angles in degrees, tilt in [0, 180].
    """
    m = np.asarray(matrices, dtype=np.float64)
    sin_tilt = np.hypot(m[..., 2, 0], m[..., 2, 1])
    tilt = np.arctan2(sin_tilt, m[..., 2, 2])
    locked = sin_tilt < 1e-9  # noqa: PLR2004  below this rot and psi are not told apart in float64
    rot = np.where(
        locked,
        np.arctan2(m[..., 0, 1] * np.sign(m[..., 2, 2]), m[..., 1, 1]),
        np.arctan2(m[..., 2, 1], m[..., 2, 0]),
    )
    psi = np.where(locked, 0.0, np.arctan2(m[..., 1, 2], -m[..., 0, 2]))
    angles: NDArray[np.float64] = np.rad2deg(np.stack([rot, tilt, psi], axis=-1))
    return angles


def random_rotations(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n, 3, 3) rotations, uniform over all orientations.

    Source:
        Unit quaternions of four normal numbers (Muller 1959).
    """
    q = rng.standard_normal((n, 4))
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
