"""How fast a file is read: from its beginning to its end, and in blocks in random order."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Pages = Literal["warm", "cold"]
"""Whether a file lies in the page cache, or was dropped from it as far as the system obliges."""

READERS = 3
"""Threads that read blocks at the same time, as many as read ahead for training."""


def set_pages(path: Path, pages: Pages) -> None:
    """Drop a file from the page cache, or read it into it."""
    if pages == "cold":
        with path.open("rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    else:
        read_sequentially(path)


def read_sequentially(path: Path) -> float:
    """Seconds to read a whole file once, from its beginning to its end."""
    buffer = bytearray(2**24)
    begun = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return time.perf_counter() - begun


def read_blocks(path: Path, *, offset: int, block_bytes: int, order: NDArray[np.int64]) -> float:
    """Seconds to read the blocks ``order`` (n,) of a file into buffers that are used again."""
    descriptor = os.open(path, os.O_RDONLY)

    def read(own: NDArray[np.int64]) -> None:
        buffer = [bytearray(block_bytes)]
        for block in own.tolist():
            os.preadv(descriptor, buffer, offset + block * block_bytes)

    begun = time.perf_counter()
    try:
        with ThreadPoolExecutor(READERS) as pool:
            list(pool.map(read, np.array_split(order, READERS)))
    finally:
        os.close(descriptor)
    return time.perf_counter() - begun
