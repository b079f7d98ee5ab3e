"""Poses as files state them: the true ones, or wrong ones where errors are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.geometry.projections import shifts_a
from tomodrgn.core.geometry.rotations import random_rotations
from tomodrgn.core.simulation.streams import random_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.specs.simulation import SimulationSpec

_OFF_AXIS_DEG = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Poses:
    """Where particles are, how they are turned, and how their images show them.

    Attributes:
        orientation: (B, 3, 3) float64, reference to tomogram coordinates.
        origin_a: (B, 3) float64, what is to be subtracted from the coordinate that a set states.
        rotation: (M, 3, 3) float64, reference to image coordinates.
        shift_px: (M, 2) float64 that centers the particle in its image.
    """

    orientation: NDArray[np.float64]
    origin_a: NDArray[np.float64]
    rotation: NDArray[np.float64]
    shift_px: NDArray[np.float64]


def draw_poses(
    spec: SimulationSpec,
    frames: NDArray[np.float64],
    particle: NDArray[np.int64],
    moved_a: NDArray[np.float64],
    pixel_size_a: float,
) -> Poses:
    """True poses: orientations of every direction, and what the spec says of displacements.

    Args:
        spec: largest displacements.
        frames: (M, 3, 3) rotation of the frame of each image, tomogram to image coordinates.
        particle: (M,) row of the particle that each image shows.
        moved_a: (M, 3) how far the particle has moved since the first frame.
        pixel_size_a: pixel size of the images.
    """
    orientation = _orientations(spec)
    origin_a = pixel_size_a * vectors_within(spec, "origin", spec.origin_shift_px)
    if spec.writes_set:
        shift_px = shifts_a(frames, origin_a[particle] - moved_a) / pixel_size_a
    else:
        limit = spec.origin_shift_px
        shift_px = random_stream(spec.seed, "shift").uniform(-limit, limit, (len(particle), 2))
    return Poses(
        orientation=orientation,
        origin_a=origin_a,
        rotation=frames @ orientation[particle],
        shift_px=shift_px,
    )


def with_errors(
    spec: SimulationSpec,
    poses: Poses,
    frames: NDArray[np.float64],
    particle: NDArray[np.int64],
    pixel_size_a: float,
) -> Poses:
    """The poses with the errors of a spec; errors of a particle are the same in all its images.

    Frames and particles (M,) and the other arguments as above.
    """
    orientation, rotation = poses.orientation, poses.rotation
    if spec.pose_error_deg:
        orientation = orientation @ _small_rotations(spec)
        rotation = frames @ orientation[particle]
    origin_a, shift_px = poses.origin_a, poses.shift_px
    if spec.shift_error_px:
        rng = random_stream(spec.seed, "place_error")
        error_a = pixel_size_a * rng.normal(0, spec.shift_error_px, (spec.n_particles, 3))
        origin_a = origin_a + error_a
        shift_px = shift_px + shifts_a(frames, error_a[particle]) / pixel_size_a
    return Poses(orientation=orientation, origin_a=origin_a, rotation=rotation, shift_px=shift_px)


def vectors_within(spec: SimulationSpec, stream: str, limit: float) -> NDArray[np.float64]:
    """(B, 3) vectors of components up to a limit."""
    return random_stream(spec.seed, stream).uniform(-limit, limit, (spec.n_particles, 3))


def _orientations(spec: SimulationSpec) -> NDArray[np.float64]:
    """(B, 3, 3) of every direction, but for those along the beam that a spec prefers."""
    orientation = random_rotations(spec.n_particles, random_stream(spec.seed, "orientation"))
    if not spec.preferred_views:
        return orientation
    rng = random_stream(spec.seed, "preferred")
    is_preferred = rng.random(spec.n_particles) < spec.preferred_views
    spin_deg = rng.uniform(0, 360, spec.n_particles)
    off_deg = rng.normal(0, _OFF_AXIS_DEG, (spec.n_particles, 3)) * (1, 1, 0)
    spins = _rotations(spin_deg[:, None] * (0, 0, 1))
    return np.where(is_preferred[:, None, None], _rotations(off_deg) @ spins, orientation)


def _small_rotations(spec: SimulationSpec) -> NDArray[np.float64]:
    """(B, 3, 3) rotations about a normal vector of angles."""
    rng = random_stream(spec.seed, "orientation_error")
    return _rotations(rng.normal(0, spec.pose_error_deg, (spec.n_particles, 3)))


def _rotations(vectors_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B, 3, 3) rotations about vectors, by their lengths."""
    from scipy.spatial.transform import Rotation  # type: ignore[import-untyped]

    return np.asarray(Rotation.from_rotvec(vectors_deg, degrees=True).as_matrix())
