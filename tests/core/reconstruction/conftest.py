from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.core.cache.imaginary import imaginary_particles
from tomodrgn.core.fourier.disc import HalfPlaneDisc
from tomodrgn.core.particles.tables import ImageTable, OpticsGroup, ParticleSet
from tomodrgn.core.simulation.forward import Simulation, design
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.specs.simulation import SimulationSpec

BOX_PX = 24


@dataclass
class Recorded:
    """Noiseless coefficients of recorded, centered images, and the map behind them."""

    coefficients: torch.Tensor
    images: ImageTable[torch.Tensor]
    optics: OpticsGroup
    disc: HalfPlaneDisc
    true_map: np.ndarray[Any, Any]

    @property
    def everything_in_one(self) -> torch.Tensor:
        """(M,) volume 0 for each image."""
        return torch.zeros(len(self.images), dtype=torch.int64)


@pytest.fixture(scope="session")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> Simulation:
    spec = SimulationSpec(
        outdir=tmp_path_factory.mktemp("simulated"),
        n_particles=40,
        n_classes=1,
        n_tilts=15,
        tilt_step_deg=8.0,
        box_size_px=BOX_PX,
        pixel_size_a=8.0,
        snr=None,
        inverted=False,
        seed=3,
    )
    return design(spec, build_structure(spec))


@pytest.fixture(scope="session")
def recorded(simulation: Simulation) -> Recorded:
    """Images as a camera records them, with CTF and damage by dose."""
    images = simulation.experiment.images.convert(torch.from_numpy)
    rows = np.arange(len(images))
    return Recorded(
        coefficients=simulation.expected(rows),
        images=images,
        optics=OpticsGroup(name="all", pixel_size_a=8.0, box_size_px=BOX_PX),
        disc=simulation.disc,
        true_map=simulation.true_maps()[0],
    )


@pytest.fixture
def particles() -> ParticleSet:
    """Seven particles of 3 to 6 images, without CTF."""
    particles = imaginary_particles((3, 5, 4, 6, 3, 4, 5))
    return replace(particles, images=replace(particles.images, ctf=None))
