"""Particle sets without a file behind them, as large as a measurement needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.geometry.rotations import random_rotations
from tomodrgn.core.particles.tables import CtfTable, ImageTable, OpticsGroup, ParticleSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

TILTS = 41


def regular_particles(
    n_particles: int, box_size_px: int, *, n_tilts: int = TILTS, pixel_size_a: float = 4.0
) -> ParticleSet:
    """Particles in random orientations with random shifts, in the order of the input.

    Tilts are dose-symmetric in steps of 3 degrees and 2 e/A^2.
    """
    n = n_particles * n_tilts
    rng = np.random.default_rng(0)
    tilt = np.tile(np.arange(n_tilts, dtype=np.float32), n_particles)

    def constant(value: float) -> NDArray[np.float32]:
        return np.full(n, value, dtype=np.float32)

    images: ImageTable[NDArray[Any]] = ImageTable(
        rotation=random_rotations(n, rng).astype(np.float32),
        shift_px=rng.uniform(-3, 3, (n, 2)).astype(np.float32),
        dose_e_per_a2=2 * (tilt + 1),
        tilt_deg=3 * ((tilt + 1) // 2),
        voltage_kv=constant(300),
        optics=np.zeros(n, dtype=np.int64),
        ctf=CtfTable(
            defocus_u_a=constant(20000),
            defocus_v_a=constant(19000),
            defocus_angle_deg=constant(30),
            voltage_kv=constant(300),
            cs_mm=constant(2.7),
            amplitude_contrast=constant(0.1),
            phase_shift_deg=constant(0),
        ),
    )
    optics = OpticsGroup(name="benchmark", pixel_size_a=pixel_size_a, box_size_px=box_size_px)
    return ParticleSet(
        source=Path("benchmark.star"),
        tomogram=np.full(n_particles, "tomogram", dtype=object),
        name=np.arange(n_particles).astype(str).astype(object),
        source_particle=np.arange(n_particles),
        images=images,
        counts=np.full(n_particles, n_tilts, dtype=np.int64),
        image_name=np.arange(n).astype(str).astype(object),
        source_image=np.arange(n),
        optics=(optics,),
        rows_read=n,
    )
