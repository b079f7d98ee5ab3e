"""Preparing images, from an MRC stack to a finished cache, against reading the stack alone."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.disk import Pages, read_sequentially, set_pages
from benchmarks.particles import TILTS, regular_particles
from benchmarks.report import Row, parser, report
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


def measure(
    folder: Path, *, box_size_px: int, size_gb: float, pages: Pages, processes: int = 1
) -> Row:
    """Read a stack of noise alone, then prepare it."""
    particles = regular_particles(
        int(size_gb * 1e9 / (4 * box_size_px**2 * TILTS)) + 1, box_size_px
    )
    stack, cache = folder / "stack.mrcs", folder / "prepared.h5"
    one = np.random.default_rng(0).normal(size=(TILTS, box_size_px, box_size_px))
    write_stack(stack, np.tile(one.astype(np.float32), (particles.n_particles, 1, 1)), 4.0)
    os.sync()
    set_pages(stack, pages)
    read_s = read_sequentially(stack)
    set_pages(stack, pages)
    begun, used = time.perf_counter(), _processor_s()
    reader = StackReader(stack, particles)
    spec = CacheSpec(reserve_gb=0, processes=processes)
    build_cache(cache, particles, reader, PreparationSpec(), spec)
    prepare_s, processor_s = time.perf_counter() - begun, _processor_s() - used
    n_bytes = stack.stat().st_size
    for path in (stack, *folder.glob("prepared*.h5")):
        path.unlink()
    return {
        "pages": pages,
        "processes": processes,
        "box_px": box_size_px,
        "images": particles.n_images,
        "read_gb_per_s": n_bytes / read_s / 1e9,
        "prepared_gb_per_s": n_bytes / prepare_s / 1e9,
        "images_per_s": particles.n_images / prepare_s,
        "images_per_processor_s": particles.n_images / processor_s,
        "percent_of_read": 100 * read_s / prepare_s,
    }


def _processor_s() -> float:
    """Processor time of this process and of those that it has started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main(arguments: list[str]) -> None:
    """Measure with the stack in the page cache and, as far as the system obliges, without."""
    made = parser("prepare", __doc__ or "")
    made.add_argument("--size-gb", type=float, default=1.0, help="size of the stack")
    made.add_argument("--box", type=int, default=96, help="box edge in px")
    made.add_argument("--processes", type=int, default=1, help="processes that prepare")
    made.add_argument("--folder", type=Path, help="where to write stack and cache")
    options = made.parse_args(arguments)
    states: tuple[Pages, ...] = ("warm", "cold")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = [
            measure(
                Path(folder),
                box_size_px=options.box,
                size_gb=options.size_gb,
                pages=pages,
                processes=options.processes,
            )
            for pages in states
        ]
    report("prepare", rows, options.json)
