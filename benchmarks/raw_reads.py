"""Batches from a cache file, taken as fast as they come, beside raw reads of the same blocks.

A block is a particle. Raw reads have as many threads as batches have, and nothing else to do:

* ``raw``: blocks are read into buffers that are used again, and are not looked at.
* ``converted``: each thread also turns its blocks into float32 in memory of their own, as whatever
  delivers batches must.

All three read all blocks in the same random order, one right after the other, begin in turn, and
have one thread of the matrix library; shares are medians of the ratios of a round.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.disk import read_blocks, set_pages
from benchmarks.particles import TILTS
from benchmarks.random_cache import random_batches
from tomodrgn.core.cache.residency import Residency
from tomodrgn.core.cache.stream import open_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from benchmarks.disk import Pages
    from benchmarks.report import Row
    from tomodrgn.core.cache.store import CoefficientCache

    Requests = Sequence[NDArray[np.int64]]


def against_raw_reads(cache: CoefficientCache, pages: Pages, *, rounds: int = 5) -> Row:
    """Throughput of raw reads and of batches, and the share that batches reach."""
    ways = _ways(cache)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    names = deque(ways)
    with _one_torch_thread():
        for number in range(rounds):
            requests = list(random_batches(cache.n_images // TILTS, number))
            for name in names:
                set_pages(cache.path, pages)
                begun = time.perf_counter()
                ways[name](requests)
                seconds[name].append(time.perf_counter() - begun)
            names.rotate()
    speed = {name: cache.n_bytes / statistics.median(taken) for name, taken in seconds.items()}
    return {
        "pages": pages,
        "block_kb": TILTS * cache.header.image_bytes / 1e3,
        "raw_gb_per_s": speed["raw"] / 1e9,
        "converted_gb_per_s": speed["converted"] / 1e9,
        "gb_per_s": speed["batches"] / 1e9,
        "images_per_s": speed["batches"] / cache.header.image_bytes,
        "percent_of_raw": _median_percent(seconds["raw"], seconds["batches"]),
        "percent_of_converted": _median_percent(seconds["converted"], seconds["batches"]),
    }


def _ways(cache: CoefficientCache) -> dict[str, Callable[[Requests], None]]:
    """What reads all blocks of a list of requests, by name."""
    device = torch.device("cpu")
    images = open_images(cache, Residency("stream", ""), device, shift=0.0, scale=1.0)

    def read(requests: Requests, *, converted: bool) -> None:
        read_blocks(
            cache.path,
            offset=cache.files[0].offset,
            block_bytes=TILTS * cache.header.image_bytes,
            order=np.concatenate(requests)[::TILTS] // TILTS,
            converted=converted,
        )

    return {
        "raw": partial(read, converted=False),
        "converted": partial(read, converted=True),
        "batches": lambda requests: deque(images.batches(requests), maxlen=0).clear(),
    }


def _median_percent(least: list[float], taken: list[float]) -> float:
    """Share of the least time in what was taken, round by round."""
    return 100 * statistics.median(a / b for a, b in zip(least, taken, strict=True))


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Leave the other cores to the threads that read."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
