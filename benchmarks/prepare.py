"""Preparing images, from an MRC stack to a finished cache, against reading the stack alone."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.particles import TILTS, regular_particles
from benchmarks.report import Row, parser, report
from benchmarks.stream import set_pages
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.files.mrc import read_mrc_header, read_mrc_slices, write_stack
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet


@dataclass
class StackReader:
    """Images of one stack, in its order."""

    path: Path
    particles: ParticleSet
    has_images: bool = True

    def read(self) -> ParticleSet:
        """See ``Reader``."""
        return self.particles

    def load_images(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """See ``Reader``."""
        return read_mrc_slices(self.path, rows, read_mrc_header(self.path))

    def fingerprint(self) -> dict[str, Any]:
        """See ``Reader``."""
        return {"stack": str(self.path)}


def read_raw(path: Path) -> None:
    """Read a file from its beginning to its end."""
    buffer = bytearray(2**24)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def row(what: str, n_images: int, n_bytes: int, seconds: float) -> Row:
    """One result."""
    return {
        "what": what,
        "seconds": seconds,
        "images_per_s": n_images / seconds,
        "mb_per_s": n_bytes / seconds / 1e6,
    }


def main(arguments: list[str]) -> None:
    """Measure with the stack in the page cache and, as far as the system obliges, without."""
    made = parser("prepare", __doc__)
    made.add_argument("--size-gb", type=float, default=1.0, help="size of the stack")
    made.add_argument("--box", type=int, default=96, help="box edge in px")
    made.add_argument("--folder", type=Path, help="where to write stack and cache")
    options = made.parse_args(arguments)
    rows = []
    particles = regular_particles(
        int(options.size_gb * 1e9 / (4 * options.box**2 * TILTS)) + 1, options.box
    )
    n = particles.n_images
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        stack = Path(folder) / "stack.mrcs"
        one = np.random.default_rng(0).normal(size=(TILTS, options.box, options.box))
        write_stack(stack, np.tile(one.astype(np.float32), (particles.n_particles, 1, 1)), 4.0)
        reader, n_bytes = StackReader(stack, particles), stack.stat().st_size
        os.sync()
        for pages in ("warm", "cold"):
            set_pages(stack, pages)
            begun = time.perf_counter()
            read_raw(stack)
            rows.append(row(f"read the stack, {pages}", n, n_bytes, time.perf_counter() - begun))
            set_pages(stack, pages)
            begun = time.perf_counter()
            path = Path(folder) / f"{pages}.h5"
            build_cache(path, particles, reader, PreparationSpec(), CacheSpec(reserve_gb=0))
            rows.append(row(f"prepare it, {pages}", n, n_bytes, time.perf_counter() - begun))
    report("prepare", rows, options.json)
