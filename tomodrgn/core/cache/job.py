"""What a cache is to hold: the description by which it is built, resumed and recognised."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import tomodrgn
from tomodrgn.core.cache.layout import CacheHeader
from tomodrgn.core.fourier.disc import half_plane_disc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

BLOCK_BYTES = 64 * 2**20
"""Pixels of one block of images; a build holds a few blocks at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildJob:
    """A cache to be built, and where its images come from.

    ``block_bytes`` bounds the pixels that are read at once, ``reserve_bytes`` is disk space that
    must stay free.
    """

    path: Path
    particles: ParticleSet
    reader: Reader
    preparation: PreparationSpec
    header: CacheHeader
    reserve_bytes: float
    block_bytes: int

    @property
    def partial(self) -> Path:
        """The cache while it is being built."""
        return self.path.with_name(f"{self.path.name}.partial")

    @property
    def record(self) -> Path:
        """The list of finished blocks."""
        return self.path.with_name(f"{self.path.name}.progress")

    def blocks(self) -> list[NDArray[np.int64]]:
        """Image rows of each block, in the order of the input."""
        order = np.argsort(self.particles.source_image, kind="stable")
        images = max(1, self.block_bytes // (4 * self.header.box_size_px**2))
        return np.split(order, np.arange(images, len(order), images))

    def digest(self) -> str:
        """Hash of everything that determines the content."""
        particles = self.particles
        described = asdict(self.header) | {"block_bytes": self.block_bytes}
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
        for column in (particles.source_image, particles.images.shift_px, particles.starts):
            digest.update(np.ascontiguousarray(column).tobytes())
        for names in (particles.image_name, particles.tomogram, particles.name):
            digest.update("\0".join(names).encode())
        return digest.hexdigest()


def plan_build(
    path: Path,
    particles: ParticleSet,
    reader: Reader,
    preparation: PreparationSpec,
    spec: CacheSpec,
    *,
    block_bytes: int = BLOCK_BYTES,
) -> BuildJob:
    """The job of building a cache; no image is read and nothing is written yet."""
    header = CacheHeader(
        box_size_px=particles.box_size_px,
        pixel_size_a=particles.pixel_size_a,
        extent=preparation.l_extent,
        n_images=particles.n_images,
        n_coefficients=len(half_plane_disc(particles.box_size_px, preparation.l_extent)),
        dtype=spec.dtype,
        scale=1.0,
        rms=math.nan,
        preparation=describe_preparation(preparation),
        fingerprint=describe_source(reader),
        program_version=tomodrgn.__version__,
    )
    return BuildJob(
        path=Path(path),
        particles=particles,
        reader=reader,
        preparation=preparation,
        header=header,
        reserve_bytes=spec.reserve_gb * 1e9,
        block_bytes=block_bytes,
    )


def describe_preparation(preparation: PreparationSpec) -> dict[str, Any]:
    """The options that change coefficients; radii of a window that is off do not."""
    unused = set() if preparation.window else {"window_r", "window_r_outer"}
    return preparation.model_dump(mode="json", exclude=unused)


def describe_source(reader: Reader) -> dict[str, Any]:
    """The reader's fingerprint as it looks after a round trip through JSON."""
    described: dict[str, Any] = json.loads(json.dumps(dict(reader.fingerprint())))
    return described
