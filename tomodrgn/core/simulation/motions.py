"""Continuous motions of the built-in molecule: their coordinates, and what each of them moves.

A motion has C coordinates for each particle: angles in degrees, or the normal coordinates z of a
linear model, whose maps are ``map + sum_k z_k V_k``. There V_k multiplies the density of the
molecule by a wave of long wavelength, so it is smooth and lies within the molecule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.simulation.gaussians import Blobs
from tomodrgn.core.simulation.streams import random_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.simulation.phantoms import Phantom
    from tomodrgn.core.specs.simulation import SimulationSpec, StructureSpec

_STRENGTH = 0.4
"""Largest relative change of density that a linear coordinate of 1 makes."""

_GOLDEN_RATIO = (1 + np.sqrt(5)) / 2


def coordinate_names(spec: StructureSpec) -> tuple[str, ...]:
    """What each coordinate of a motion is called; none where nothing moves."""
    if spec.motion == "linear":
        return tuple(f"z{k + 1}" for k in range(spec.linear_dim))
    angles = {"none": (), "hinge": ("hinge_deg",), "hinge_twist": ("hinge_deg", "twist_deg")}
    return angles[spec.motion]


def draw_coordinates(spec: SimulationSpec) -> NDArray[np.float64]:
    """(B, C) coordinates of every particle."""
    n = spec.n_particles
    if spec.motion == "linear":
        return random_stream(spec.seed, "linear").standard_normal((n, spec.linear_dim))
    ranges = {"hinge_deg": spec.motion_range_deg, "twist_deg": spec.twist_range_deg}
    streams = {"hinge_deg": "motion", "twist_deg": "twist"}
    columns = [
        random_stream(spec.seed, streams[name]).uniform(*ranges[name], n)
        for name in coordinate_names(spec)
    ]
    return np.stack(columns, axis=1) if columns else np.zeros((n, 0))


def conform(phantom: Phantom, motion: str, labels: Tensor, coordinates: Tensor) -> Blobs:
    """Blobs of B particles.

    Args:
        phantom: the molecule.
        motion: kind of motion.
        labels: (B,) int64 classes.
        coordinates: (B, C) float64.
    """
    rest = torch.zeros(len(labels), dtype=torch.float64)
    if motion == "linear":
        blobs = phantom.conform(labels, rest)
        change = coordinates @ torch.from_numpy(linear_modes(phantom, coordinates.shape[1])).T
        return Blobs(
            position_a=blobs.position_a, mass=blobs.mass * (1 + change), sigma_a=blobs.sigma_a
        )
    return phantom.conform(labels, *(coordinates.unbind(1) or (rest,)))


def linear_modes(phantom: Phantom, n_modes: int) -> NDArray[np.float64]:
    """(K, C) relative change of the mass of each blob with each linear coordinate.

    Waves across the molecule, in directions spread over the sphere, a half to one and a half
    wavelengths over the diameter.
    """
    rank = np.arange(n_modes)
    z = 1 - 2 * ((0.5 + rank / _GOLDEN_RATIO) % 1)
    azimuth = 2 * np.pi * rank / _GOLDEN_RATIO**2
    ring = np.sqrt(1 - z**2)
    directions = np.stack([ring * np.cos(azimuth), ring * np.sin(azimuth), z], axis=1)
    radius_a = np.linalg.norm(phantom.position_a, axis=1).max()
    phase = np.pi * (0.5 + rank / 8) * (phantom.position_a @ directions.T) / radius_a
    modes: NDArray[np.float64] = _STRENGTH * np.sin(phase + np.pi / 8 * rank)
    return modes
