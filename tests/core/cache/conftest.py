"""Particles in memory, their reader, and a cache built from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.core.cache.imaginary import ImaginaryReader, imaginary_particles, imaginary_reader
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.cache.store import CoefficientCache, open_cache
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.particles.tables import ParticleSet


@pytest.fixture
def particles() -> ParticleSet:
    return imaginary_particles()


@pytest.fixture
def reader(particles: ParticleSet) -> ImaginaryReader:
    return imaginary_reader(particles)


@pytest.fixture
def cache(particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path) -> CoefficientCache:
    path = tmp_path / "cache.h5"
    build_cache(path, particles, reader, PreparationSpec(), CacheSpec(reserve_gb=0))
    return open_cache(path, particles, reader, PreparationSpec())
