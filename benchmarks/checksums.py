"""What the checksums of a cache cost: each work with and without looking at them, in turn.

*loader* takes random batches of 8 whole particles as fast as they come; *train* follows each by a
training step; *linear* is one round of ``train_linear``; all three stream from the page cache.
*prepare* builds a cache with and without computing them. *open* reads the tables of a cache of a
million images and joins them by name. Medians over rounds of the ratio within a round, in percent
of the speed without, by wall time and by processor time.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import torch

from benchmarks import linear, prepare
from benchmarks.lazy import training_step
from benchmarks.particles import TILTS, regular_particles
from benchmarks.random_cache import random_batches, random_cache
from benchmarks.report import Row, parser, report
from tomodrgn.core.cache.residency import Residency
from tomodrgn.core.cache.seal import image_checksums, verify
from tomodrgn.core.cache.stream import open_images

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tomodrgn.core.cache.store import CoefficientCache

    Seconds = tuple[float, float]
    Work = Callable[[bool], Seconds]

WORKS = ("loader", "train", "linear", "prepare", "open")
STEPS = 4
_MILLION_BOX = 8


def timed(action: Callable[[], object]) -> Seconds:
    """Wall time and processor time of an action."""
    began, processor = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - began, time.process_time() - processor


def works(folder: Path, cache: CoefficientCache) -> dict[str, Callable[[], Work]]:
    """What is measured: given whether checksums are looked at, wall time and processor time."""
    bare = replace(cache, files=tuple(replace(file, checksums=None) for file in cache.files))
    device = torch.device("cpu")

    def drawing(then: Callable[[torch.Tensor], object], most: int | None) -> Work:
        sources = {
            checked: open_images(which, Residency("stream", ""), device, shift=0.0, scale=1.0)
            for checked, which in ((True, cache), (False, bare))
        }

        def draw(checked: bool) -> None:
            requests = islice(random_batches(cache.n_images // TILTS, 0), most)
            for coefficients in sources[checked].batches(requests):
                then(coefficients)

        return lambda checked: timed(lambda: draw(checked))

    def train() -> Work:
        return drawing(training_step(cache), STEPS)

    def one_round(checked: bool) -> Seconds:
        which = cache if checked else bare
        return timed(lambda: linear.measure(which, cache.header.box_size_px, 14, 4))

    return {
        "loader": lambda: drawing(lambda _: None, None),
        "train": train,
        "linear": lambda: one_round,
        "prepare": lambda: lambda checked: prepared(folder, cache.header.box_size_px, checked),
        "open": lambda: opening(folder),
    }


def prepared(folder: Path, box_size_px: int, checked: bool) -> Seconds:
    """Time per image to prepare a stack of a quarter of a GB."""

    def none(stored: memoryview, image_bytes: int) -> NDArray[np.uint64]:
        return np.zeros(len(stored) // image_bytes, dtype=np.uint64)

    with patch("tomodrgn.core.cache.fill.image_checksums", image_checksums if checked else none):
        row = prepare.measure(folder, box_size_px=box_size_px, size_gb=0.25, pages="warm")
    return 1 / float(row["images_per_s"]), 1 / float(row["images_per_processor_s"])


def opening(folder: Path) -> Work:
    """Reading the tables of a million images, and joining them by name."""
    n_bytes = 1e6 * 4 * 32
    cache = random_cache(folder / "million.h5", n_bytes / 1e9, _MILLION_BOX)
    particles = regular_particles(cache.n_images // TILTS, _MILLION_BOX)

    def read(checked: bool) -> None:
        if checked:
            verify(cache.path)
        cache.rows(particles)

    return lambda checked: timed(lambda: read(checked))


def in_turn(work: Work, rounds: int) -> Row:
    """Speed with checksums in percent of that without, and what both take, in turn."""
    work(True)
    taken: dict[bool, list[Seconds]] = {True: [], False: []}
    for number in range(rounds):
        for checked in (True, False) if number % 2 else (False, True):
            taken[checked].append(work(checked))
    pairs = list(zip(taken[True], taken[False], strict=True))
    return {
        "with_s": statistics.median(wall for wall, _ in taken[True]),
        "without_s": statistics.median(wall for wall, _ in taken[False]),
        "percent": 100 * statistics.median(bare[0] / full[0] for full, bare in pairs),
        "percent_processor": 100 * statistics.median(bare[1] / full[1] for full, bare in pairs),
    }


def main(arguments: list[str]) -> None:
    """A row for each work."""
    made = parser("checksums", __doc__.partition("\n")[0])
    made.add_argument("--box", type=int, default=96, help="box edge in px")
    made.add_argument("--size-gb", type=float, default=0.5, help="size of the cache")
    made.add_argument("--rounds", type=int, default=9, help="how often both take their turn")
    made.add_argument("--works", nargs="+", choices=WORKS, default=WORKS, help="what to measure")
    options = made.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        cache = random_cache(Path(name) / "cache.h5", options.size_gb, options.box)
        chosen = works(Path(name), cache)
        rows = [{"work": work} | in_turn(chosen[work](), options.rounds) for work in options.works]
    report("checksums", rows, options.json)
