from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.core.cache.imaginary import imaginary_reader
from tests.core.pretended import DEVICE, pretending
from tomodrgn.core.particles.tables import ParticleSet
from tomodrgn.core.reconstruction.stream import sum_images
from tomodrgn.core.reconstruction.weights import Attenuation
from tomodrgn.core.specs.dataset import PreparationSpec


def test_sums_on_a_device_mix_with_nothing_on_the_host(
    particles: ParticleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = imaginary_reader(particles)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    with pretending(monkeypatch):
        sums = sum_images(
            reader,
            particles,
            np.arange(particles.n_images) % 2,
            n_volumes=2,
            preparation=PreparationSpec(),
            attenuation=Attenuation(),
            device=DEVICE,
            progress=lambda _done, _total: None,
            block_bytes=2**12,
        )
    assert all(grid.device == DEVICE for grid in sums.grids)
