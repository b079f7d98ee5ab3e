"""What a cache is to hold: the description by which it is built, resumed and recognized."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.cache.layout import CacheHeader, PartFile
from tomodrgn.core.fourier.disc import half_plane_disc
from tomodrgn.core.particles.selection import take_particles
from tomodrgn.core.version import __version__

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

BLOCK_BYTES = 64 * 2**20
"""Pixels of one block of images; a build holds a few blocks at once."""

FILE_BYTES = 64 * 10**9
"""Most coefficients of a file, unless the number of files is given."""


SHARE_BYTES = 256 * 10**6
"""Coefficients that are worth a file of their own where another process of the job can build it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildJob:
    """A cache to be built, and where its images come from.

    ``block_bytes`` bounds the pixels that are read at once, ``reserve_bytes`` is disk space that
    must stay free. ``parts`` are the files of a cache of several, each with a job of its own.
    """

    path: Path
    particles: ParticleSet
    reader: Reader
    preparation: PreparationSpec
    header: CacheHeader
    reserve_bytes: float
    block_bytes: int
    parts: tuple[PartFile, ...] = ()

    @property
    def partial(self) -> Path:
        """The cache while it is being built."""
        return partial_of(self.path)

    @property
    def record(self) -> Path:
        """The list of finished blocks."""
        return record_of(self.path)

    @property
    def images_per_block(self) -> int:
        """Images that are read at once."""
        return max(1, self.block_bytes // (4 * self.header.box_size_px**2))

    def blocks(self) -> list[NDArray[np.int64]]:
        """Image rows (M,) of each block, in the order of the input."""
        order = np.argsort(self.particles.source_image, kind="stable")
        return np.split(order, np.arange(self.images_per_block, len(order), self.images_per_block))

    def part(self, number: int) -> BuildJob:
        """The job of one file of several, counted from 0."""
        file, starts = self.parts[number], self.particles.starts[:-1]
        mine = (starts >= file.first) & (starts < file.first + file.n_images)
        return replace(
            self,
            path=self.path.with_name(file.name),
            particles=take_particles(self.particles, mask=mine, reason="in another file"),
            header=replace(self.header, n_images=file.n_images, part=number + 1),
            parts=(),
        )

    def in_files(self, n_files: int) -> BuildJob:
        """The same cache divided into some files, or into fewer where there are few particles."""
        whole = replace(self, parts=(), header=replace(self.header, build=""))
        parts = divide(self.path, self.particles, n_files)
        if len(parts) == 1:
            return whole
        digest = hashlib.sha256(f"{whole.digest()} {len(parts)}".encode()).hexdigest()
        return replace(whole, parts=parts, header=replace(self.header, build=digest))

    def digest(self) -> str:
        """Hash of everything that determines the content."""
        if self.header.build:
            return f"{self.header.build} {self.header.part}"
        particles = self.particles
        described = asdict(self.header) | {"block_bytes": self.block_bytes}
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
        for column in (particles.source_image, particles.images.shift_px, particles.starts):
            digest.update(np.ascontiguousarray(column).tobytes())
        for names in (particles.image_name, particles.tomogram, particles.name):
            digest.update("\0".join(names).encode())
        return digest.hexdigest()


def partial_of(path: Path) -> Path:
    """The name of a cache file while it is being built."""
    return path.with_name(f"{path.name}.partial")


def record_of(path: Path) -> Path:
    """The list of finished blocks of a cache file."""
    return path.with_name(f"{path.name}.progress")


def plan_build(
    path: Path,
    particles: ParticleSet,
    reader: Reader,
    preparation: PreparationSpec,
    spec: CacheSpec,
    *,
    block_bytes: int = BLOCK_BYTES,
    n_ranks: int = 1,
) -> BuildJob:
    """The job of building a cache; no image is read and nothing is written yet.

    Args:
        path: the cache.
        particles: the images, and their order in the cache.
        reader: loads their pixels.
        preparation: window and extent.
        spec: number type and files, at least one for each of the processes unless it says so.
        block_bytes: pixels read at once.
        n_ranks: processes of the job, each of which starts as many as the spec says.
    """
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
        program_version=__version__,
    )
    job = BuildJob(
        path=Path(path),
        particles=particles,
        reader=reader,
        preparation=preparation,
        header=header,
        reserve_bytes=spec.reserve_gb * 1e9,
        block_bytes=block_bytes,
    )
    n_bytes, builders = header.coefficient_bytes, spec.processes * n_ranks
    shares = max(spec.processes, min(builders, n_bytes // SHARE_BYTES))
    return job.in_files(spec.files or max(shares, math.ceil(n_bytes / FILE_BYTES)))


def divide(path: Path, particles: ParticleSet, n_files: int) -> tuple[PartFile, ...]:
    """Consecutive particles for each file, one at least, with even numbers of images."""
    n = min(n_files, particles.n_particles)
    counted = np.arange(n + 1)
    middles = (particles.starts[1:] + particles.starts[:-1]) / 2
    nearest = np.searchsorted(middles, counted * particles.n_images / n)
    rising = np.maximum.accumulate(nearest - counted) + counted
    bounds = particles.starts[np.minimum(rising, particles.n_particles - n + counted)].tolist()
    return tuple(
        PartFile(f"{path.stem}.{number}of{n}{path.suffix}", first, after - first)
        for number, (first, after) in enumerate(pairwise(bounds), start=1)
    )


def describe_preparation(preparation: PreparationSpec) -> dict[str, Any]:
    """The options that change coefficients; radii of a window that is off do not."""
    unused = set() if preparation.window else {"window_r", "window_r_outer"}
    return preparation.model_dump(mode="json", exclude=unused)


def describe_source(reader: Reader) -> dict[str, Any]:
    """The reader's fingerprint as it looks after a round trip through JSON."""
    described: dict[str, Any] = json.loads(json.dumps(dict(reader.fingerprint())))
    return described
