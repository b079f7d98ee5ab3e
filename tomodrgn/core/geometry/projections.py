"""Where a tilt image looks at a tomogram: projection matrices, depths and shifts, in angstrom.

A tilt series is described by the rotation of each frame, tomogram to image coordinates, and by a
shift in the image plane. Upstream programs state it in two ways: as matrices (RELION 4, WarpTools)
or as angles (RELION 5). Positions are relative to the center of the tomogram unless a name says
otherwise; z of the image frame points along the beam.

The pose of a particle in frame t is ``R = P_t @ A``, ``A`` being its orientation (reference to
tomogram coordinates), and its central slice is taken at ``R.T @ k``.

Source:
    RELION 5's projection model (Burt et al. 2024, doi:10.1002/2211-5463.13873): center the
    tomogram, rotate about x, y and z, shift, center the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.geometry.rotations import matrices_from_euler

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NOT_A_ROTATION = 1e-2
"""Largest deviation of P @ P.T from the identity; files state matrices with few digits."""


def rotations_from_stage_angles(
    x_tilt_deg: NDArray[np.float64],
    y_tilt_deg: NDArray[np.float64],
    z_rot_deg: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Frame rotations of the angle model, ``Rz(z) @ Ry(y) @ Rx(x)``, active rotations.

    Args:
        x_tilt_deg: (T,) rotation about x, applied first.
        y_tilt_deg: (T,) stage tilt about y.
        z_rot_deg: (T,) in-plane rotation that puts the tilt axis where the camera saw it.

    Returns:
        (T, 3, 3) tomogram to image coordinates.
    """
    return _about("z", z_rot_deg) @ _about("y", y_tilt_deg) @ _about("x", x_tilt_deg)


def stage_angles_from_rotations(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, 3) x tilt, y tilt and z rotation in degrees of frame rotations (T, 3, 3).

    Inverse of :func:`rotations_from_stage_angles` for y tilts within -90 and 90 degrees.
    """
    r = np.asarray(rotations, dtype=np.float64)
    x = np.arctan2(r[..., 2, 1], r[..., 2, 2])
    y = np.arctan2(-r[..., 2, 0], np.hypot(r[..., 2, 1], r[..., 2, 2]))
    z = np.arctan2(r[..., 1, 0], r[..., 0, 0])
    angles: NDArray[np.float64] = np.rad2deg(np.stack([x, y, z], axis=-1))
    return angles


def particle_orientations(
    euler_deg: NDArray[np.float64], subtomogram_euler_deg: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Orientations of particles, reference to tomogram coordinates.

    Args:
        euler_deg: (B, 3) Rot, Tilt, Psi.
        subtomogram_euler_deg: (B, 3) orientation in which the particle was extracted, if any;
            the refined angles are then relative to it: ``A = A_subtomogram @ A_particle``.

    Returns:
        (B, 3, 3) float64.
    """
    orientation = matrices_from_euler(euler_deg)
    if subtomogram_euler_deg is None:
        return orientation
    return matrices_from_euler(subtomogram_euler_deg) @ orientation


def heights_a(
    rotations: NDArray[np.float64], offsets_a: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(M,) place along the beam of points (M, 3) from the tomogram center, in frames (M, 3, 3)."""
    heights: NDArray[np.float64] = np.einsum("mj,mj->m", rotations[:, 2, :], offsets_a)
    return heights


def shifts_a(rotations: NDArray[np.float64], origins_a: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M, 2) shifts that center particles in their images.

    Args:
        rotations: (M, 3, 3) tomogram to image coordinates.
        origins_a: (M, 3) what is subtracted from the coordinate of a particle to reach its center,
            in tomogram coordinates (``rlnOrigin{X,Y,Z}Angst``).
    """
    shifts: NDArray[np.float64] = np.einsum("mij,mj->mi", rotations[:, :2, :], origins_a)
    return shifts


def is_rotation(matrices: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each of (T, 3, 3) matrices is a proper rotation, as far as a file's digits go."""
    gram = matrices @ np.swapaxes(matrices, -1, -2)
    deviation = np.abs(gram - np.eye(3)).max(axis=(-1, -2))
    proper: NDArray[np.bool_] = (deviation < _NOT_A_ROTATION) & (np.linalg.det(matrices) > 0)
    return proper


def nearest_rotations(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotations closest to (T, 3, 3) matrices that were rounded.

    Source:
        Orthogonal Procrustes problem (Schoenemann 1966), by singular value decomposition.
    """
    u, _, vt = np.linalg.svd(matrices)
    nearest: NDArray[np.float64] = u @ vt
    return nearest


def _about(axis: str, angle_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, 3, 3) active rotations about a coordinate axis."""
    angle = np.deg2rad(np.asarray(angle_deg, dtype=np.float64))
    cos, sin, one, zero = np.cos(angle), np.sin(angle), np.ones_like(angle), np.zeros_like(angle)
    rows = {
        "x": [[one, zero, zero], [zero, cos, -sin], [zero, sin, cos]],
        "y": [[cos, zero, sin], [zero, one, zero], [-sin, zero, cos]],
        "z": [[cos, -sin, zero], [sin, cos, zero], [zero, zero, one]],
    }[axis]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
