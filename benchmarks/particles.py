"""Particle sets without a file behind them, as large as a measurement needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.particles.tables import ImageTable, OpticsGroup, ParticleSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

TILTS = 41


def regular_particles(n_particles: int, box_size_px: int) -> ParticleSet:
    """Particles of 41 tilts each, in the order of the input, with random shifts."""
    n = n_particles * TILTS
    dose = np.tile(np.arange(1, TILTS + 1, dtype=np.float32) * 3, n_particles)
    shifts = np.random.default_rng(0).uniform(-3, 3, (n, 2)).astype(np.float32)
    images: ImageTable[NDArray[Any]] = ImageTable(
        rotation=np.tile(np.eye(3, dtype=np.float32), (n, 1, 1)),
        shift_px=shifts,
        dose_e_per_a2=dose,
        tilt_deg=dose,
        voltage_kv=np.full(n, 300, dtype=np.float32),
        optics=np.zeros(n, dtype=np.int64),
    )
    return ParticleSet(
        source=Path("benchmark.star"),
        tomogram=np.full(n_particles, "tomogram", dtype=object),
        name=np.arange(n_particles).astype(str).astype(object),
        source_particle=np.arange(n_particles),
        images=images,
        counts=np.full(n_particles, TILTS, dtype=np.int64),
        image_name=np.arange(n).astype(str).astype(object),
        source_image=np.arange(n),
        optics=(OpticsGroup(name="benchmark", pixel_size_a=4.0, box_size_px=box_size_px),),
        rows_read=n,
    )
