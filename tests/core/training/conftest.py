"""A small particle set with ragged tilt counts, in memory, with coefficients of random images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tomodrgn.core.fourier.disc import HalfPlaneDisc, half_plane_disc
from tomodrgn.core.geometry.rotations import random_rotations
from tomodrgn.core.particles.tables import CtfTable, ImageTable, OpticsGroup, ParticleSet

BOX = 16


class MemorySource:
    """Coefficients held in a tensor, one row per image of the set."""

    def __init__(self, coefficients: torch.Tensor) -> None:
        self.coefficients = coefficients

    def batches(self, requests: Iterable[np.ndarray]) -> Iterator[torch.Tensor]:
        for rows in requests:
            yield self.coefficients[torch.from_numpy(rows)]


def make_particles(counts: list[int], seed: int = 0) -> ParticleSet:
    rng = np.random.default_rng(seed)
    n_images = sum(counts)
    order = np.concatenate([np.arange(n) for n in counts])

    def constant(value: float) -> np.ndarray:
        return np.full(n_images, value, np.float32)

    return ParticleSet(
        source=Path("particles.star"),
        tomogram=np.array([f"tomo_{i % 2}" for i in range(len(counts))], object),
        name=np.array([f"p{i}" for i in range(len(counts))], object),
        source_particle=np.arange(len(counts)),
        images=ImageTable(
            rotation=random_rotations(n_images, rng).astype(np.float32),
            shift_px=np.zeros((n_images, 2), np.float32),
            dose_e_per_a2=(3.0 * (order + 1)).astype(np.float32),
            tilt_deg=(3.0 * order).astype(np.float32),
            voltage_kv=constant(300),
            optics=np.zeros(n_images, np.int64),
            ctf=CtfTable(
                defocus_u_a=constant(20000),
                defocus_v_a=constant(19000),
                defocus_angle_deg=constant(10),
                voltage_kv=constant(300),
                cs_mm=constant(2.7),
                amplitude_contrast=constant(0.1),
                phase_shift_deg=constant(0),
            ),
        ),
        counts=np.array(counts),
        image_name=np.array([f"{i}@stack.mrcs" for i in range(n_images)], object),
        source_image=np.arange(n_images),
        optics=(OpticsGroup(name="1", pixel_size_a=10.0, box_size_px=BOX),),
        rows_read=n_images,
    )


@pytest.fixture
def particles() -> ParticleSet:
    return make_particles([5, 8, 3, 11, 6, 5, 7])


@pytest.fixture
def disc() -> HalfPlaneDisc:
    return half_plane_disc(BOX)


@pytest.fixture
def coefficients(particles: ParticleSet, disc: HalfPlaneDisc) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(particles.n_images, len(disc), 2, generator=generator)
