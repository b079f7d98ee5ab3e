"""Streaming a cache from its file against holding it in memory: throughput and resident memory.

Both sources deliver the same random batches of 8 whole particles. Every case runs in a process of
its own, which reports the best of its passes over the cache, the processor time of a pass, and its
peak resident memory above its base (after imports and one matmul).

* work ``none``: batches are taken as fast as they come.
* work ``thread``: the same, beside a Python thread that multiplies matrices without pause.
* work ``step``: every batch is followed by matrix products, far fewer than a training step has.
* work ``train``: a few real training steps; the base then includes what training itself takes.
* pages ``cold``: the file was dropped from the page cache as far as the system obliges (fadvise);
  only the first pass over the file is cold, and it is the one that is timed.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from benchmarks.ceiling import ROWS, WIDTH
from benchmarks.disk import Pages, read_blocks, set_pages
from benchmarks.networks import installed_registry, reference_model, reference_run
from benchmarks.particles import TILTS, regular_particles
from benchmarks.report import Row, parser, report
from tomodrgn.core.cache import layout
from tomodrgn.core.cache.prepare import file_identity
from tomodrgn.core.cache.residency import Residency
from tomodrgn.core.cache.store import CoefficientCache
from tomodrgn.core.cache.stream import open_images
from tomodrgn.core.fourier.disc import half_plane_disc
from tomodrgn.core.specs.training import DevicesSpec
from tomodrgn.core.training.devices import Devices
from tomodrgn.core.training.sampling import Sampler
from tomodrgn.core.training.step import Stepper
from tomodrgn.core.training.tilt_batch import TiltBatchBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

BATCH = 8
PRODUCTS_PER_STEP = 2
TRAINING_STEPS = 6
WORKS = ("none", "thread", "step", "train")


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement."""

    residency: Literal["ram", "stream"]
    pages: Pages
    work: str
    passes: int


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
    with path.open("r+b") as file:
        file.seek(offset)
        for _ in range(particles.n_particles):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    layout.finish(path, 1.0)
    identity = file_identity(path)
    if identity is None:
        raise FileNotFoundError(path)
    return CoefficientCache(path, layout.read_header(path), offset, identity)


def random_batches(n_particles: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Rows of whole particles in random order."""
    order = np.random.default_rng(seed).permutation(n_particles)
    for first in range(0, n_particles, BATCH):
        rows = order[first : first + BATCH, None] * TILTS + np.arange(TILTS)
        yield rows.reshape(-1)


def measure(cache: CoefficientCache, case: Case, results: multiprocessing.Queue[Row]) -> None:
    """Run one case in this process."""
    left, right = torch.randn(ROWS, WIDTH), torch.randn(WIDTH, WIDTH)
    product = left @ right
    step = training_step(cache) if case.work == "train" else None
    base = peak_memory_bytes()
    stop = threading.Event()

    def multiply() -> None:
        while not stop.is_set():
            torch.matmul(left, right, out=product)

    thread = threading.Thread(target=multiply, daemon=True)
    if case.work == "thread":
        thread.start()
    device = torch.device("cpu")
    begun = time.perf_counter()
    images = open_images(cache, Residency(case.residency, ""), device, shift=0.0, scale=1.0)
    opened = time.perf_counter() - begun
    seconds, cpu_begun = [], time.process_time()
    for number in range(case.passes):
        begun = time.perf_counter()
        requests = random_batches(cache.n_images // TILTS, number)
        batches = images.batches(islice(requests, TRAINING_STEPS) if step else requests)
        for coefficients in batches:
            for _ in range(PRODUCTS_PER_STEP if case.work == "step" else 0):
                torch.matmul(left, right, out=product)
            if step is not None:
                step(coefficients)
        seconds.append(time.perf_counter() - begun)
    n_images = TRAINING_STEPS * BATCH * TILTS if step else cache.n_images
    cpu_seconds = time.process_time() - cpu_begun
    stop.set()
    if thread.is_alive():
        thread.join()
    results.put(
        {
            "residency": case.residency,
            "pages": case.pages,
            "work": case.work,
            "open_s": opened,
            "pass_s": min(seconds),
            "cpu_s": cpu_seconds / case.passes,
            "images_per_s": n_images / min(seconds),
            "gb_per_s": cache.header.image_bytes * n_images / min(seconds) / 1e9,
            "base_mb": base / 1e6,
            "memory_above_base_mb": (peak_memory_bytes() - base) / 1e6,
            "memory_percent_of_cache": 100 * (peak_memory_bytes() - base) / cache.n_bytes,
        }
    )


def training_step(cache: CoefficientCache) -> Callable[[Tensor], None]:
    """A training step of the reference network on a batch of whole particles, made once already."""
    box, registry = cache.header.box_size_px, installed_registry()
    run = reference_run(registry, batch_size=BATCH)
    particles = regular_particles(BATCH, box)
    disc = half_plane_disc(box)
    model = reference_model(run, registry, box_size_px=box, n_tilts=TILTS, n_particles=BATCH)
    kept = np.full(particles.n_images, len(disc))
    devices = Devices(DevicesSpec(accelerator="cpu"))
    stepper = Stepper(model, torch.optim.AdamW(model.parameters(), fused=True), devices)
    sampler = Sampler(particles, kept=kept, usable=None, sample_ntilts=None, seed=0)
    builder = TiltBatchBuilder(
        particles, disc, weightings=[], kept=kept, dtype=torch.float32, device=devices.device
    )
    batch = next(sampler.in_order(BATCH))
    noise = torch.from_numpy(sampler.noise(batch, 0, 8))

    def step(coefficients: Tensor) -> None:
        stepper.step(
            builder.build(batch, coefficients),
            noise,
            beta=0.1,
            control=None,
            lr=1e-4,
            n_coefficients=batch.n_coefficients,
            n_particles=BATCH,
        )

    step(torch.zeros(particles.n_images, len(disc), 2))
    return step


def peak_memory_bytes() -> int:
    """Largest resident memory of this process so far."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024


def in_new_process(cache: CoefficientCache, case: Case) -> Row:
    """Result of a case."""
    set_pages(cache.path, case.pages)
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[Row] = context.Queue()
    child = context.Process(target=measure, args=(cache, case, results))
    child.start()
    row = results.get(timeout=3600)
    child.join()
    return row


def against_raw_reads(cache: CoefficientCache, pages: Pages, *, repeats: int = 3) -> Row:
    """Batches from the file, taken as fast as they come, beside raw reads of the same blocks."""
    n_particles = cache.n_images // TILTS
    block_bytes = TILTS * cache.header.image_bytes
    device = torch.device("cpu")
    images = open_images(cache, Residency("stream", ""), device, shift=0.0, scale=1.0)
    raw, ours = [], []
    for number in range(repeats):
        requests = list(random_batches(n_particles, number))
        order = np.concatenate(requests)[::TILTS] // TILTS
        set_pages(cache.path, pages)
        raw.append(
            read_blocks(cache.path, offset=cache.offset, block_bytes=block_bytes, order=order)
        )
        set_pages(cache.path, pages)
        begun = time.perf_counter()
        for _ in images.batches(requests):
            pass
        ours.append(time.perf_counter() - begun)
    shares = [100 * reading / taking for reading, taking in zip(raw, ours, strict=True)]
    n_bytes = n_particles * block_bytes
    return {
        "pages": pages,
        "block_kb": block_bytes / 1e3,
        "raw_gb_per_s": n_bytes / statistics.median(raw) / 1e9,
        "gb_per_s": n_bytes / statistics.median(ours) / 1e9,
        "images_per_s": cache.n_images / statistics.median(ours),
        "percent_of_raw": statistics.median(shares),
    }


def main(arguments: list[str]) -> None:
    """Measure all cases on a cache in a temporary folder."""
    made = parser("stream", __doc__.partition("\n")[0])
    made.add_argument("--size-gb", type=float, default=2.2, help="size of the cache")
    made.add_argument("--box", type=int, default=96, help="box edge in px")
    made.add_argument("--passes", type=int, default=3, help="passes over the cache per case")
    made.add_argument("--works", nargs="+", choices=WORKS, default=WORKS, help="what to measure")
    made.add_argument("--folder", type=Path, help="where to write the cache")
    options = made.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        cache = random_cache(Path(folder) / "cache.h5", options.size_gb, options.box)
        print(f"{cache.n_bytes / 1e9:.2f} GB, {cache.n_images} images, box {options.box} px")
        for work in options.works:
            held = in_new_process(cache, Case("ram", "warm", work, options.passes))
            warm = in_new_process(cache, Case("stream", "warm", work, options.passes))
            cold = in_new_process(cache, Case("stream", "cold", work, 1))
            rows += [
                row | {"percent_of_ram": 100 * float(held["pass_s"]) / float(row["pass_s"])}
                for row in (held, warm, cold)
            ]
        states: tuple[Pages, ...] = ("warm", "cold")
        raw = [against_raw_reads(cache, pages) for pages in states]
    report("stream", rows, options.json)
    report("stream against raw reads", raw)
