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
import tempfile
import threading
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from benchmarks.ceiling import ROWS, WIDTH
from benchmarks.disk import Pages, set_pages
from benchmarks.lazy import training_step
from benchmarks.particles import TILTS
from benchmarks.random_cache import BATCH, random_batches, random_cache
from benchmarks.raw_reads import against_raw_reads
from benchmarks.report import Row, parser, report
from tomodrgn.core.cache.residency import Residency
from tomodrgn.core.cache.stream import open_images

if TYPE_CHECKING:
    from tomodrgn.core.cache.store import CoefficientCache

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
