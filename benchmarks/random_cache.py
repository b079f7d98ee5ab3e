"""Caches of random coefficients, and requests for random particles of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.particles import TILTS, regular_particles
from tomodrgn.core.cache import layout
from tomodrgn.core.cache.attempt import file_identity
from tomodrgn.core.cache.seal import image_checksums
from tomodrgn.core.cache.store import CoefficientCache, CoefficientFile
from tomodrgn.core.fourier.disc import half_plane_disc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

BATCH = 8
"""Particles of a request."""


def random_cache(path: Path, size_gb: float, box_size_px: int) -> CoefficientCache:
    """A finished cache of random coefficients, written without preparing images."""
    n_coefficients = len(half_plane_disc(box_size_px))
    particles = regular_particles(
        int(size_gb * 1e9 / (4 * n_coefficients * TILTS)) + 1, box_size_px
    )
    header = layout.CacheHeader(
        box_size_px=box_size_px,
        pixel_size_a=4.0,
        extent=0.5,
        n_images=particles.n_images,
        n_coefficients=n_coefficients,
        dtype="float16",
        scale=1.0,
        rms=float("nan"),
        preparation={},
        fingerprint={},
        program_version="benchmark",
    )
    layout.write_skeleton(path, header, particles)
    offset = layout.coefficient_offset(path)
    noise = np.random.default_rng(0).normal(size=header.image_bytes // 2 * TILTS)
    block = noise.astype(np.float16).tobytes()
    checksums = image_checksums(memoryview(block), header.image_bytes)
    with path.open("r+b") as file:
        file.seek(layout.checksum_offset(path))
        file.write(np.tile(checksums, particles.n_particles).tobytes())
        file.seek(offset)
        for _ in range(particles.n_particles):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    layout.finish(path, 1.0)
    identity = file_identity(path)
    if identity is None:
        raise FileNotFoundError(path)
    files = (CoefficientFile(path, 0, offset, identity, layout.read_checksums(path)),)
    return CoefficientCache(path, layout.read_header(path), files)


def random_batches(n_particles: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Rows of whole particles in random order."""
    order = np.random.default_rng(seed).permutation(n_particles)
    for first in range(0, n_particles, BATCH):
        rows = order[first : first + BATCH, None] * TILTS + np.arange(TILTS)
        yield rows.reshape(-1)
