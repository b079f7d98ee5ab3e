"""How fast a file is read: from its beginning to its end, and in blocks in random order."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

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


def read_blocks(
    path: Path,
    *,
    offset: int,
    block_bytes: int,
    order: NDArray[np.int64],
    converted: bool = False,
) -> None:
    """Read the blocks ``order`` (n,) of a file into buffers that are used again.

    Args:
        path: the file.
        offset: where its first block begins.
        block_bytes: size of a block.
        order: blocks to read.
        converted: turn each from float16 into float32 in new memory.
    """
    descriptor = os.open(path, os.O_RDONLY)

    def read(own: NDArray[np.int64]) -> None:
        buffer = bytearray(block_bytes)
        numbers = torch.frombuffer(buffer, dtype=torch.float16)
        for block in own.tolist():
            os.preadv(descriptor, [buffer], offset + block * block_bytes)
            if converted:
                numbers.to(torch.float32)

    try:
        with ThreadPoolExecutor(READERS, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(read, np.array_split(order, READERS)))
    finally:
        os.close(descriptor)
