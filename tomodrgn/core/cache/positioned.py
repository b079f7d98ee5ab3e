"""Reads and writes at given places of a file, whole or with an error.

The descriptor's own position is never used, so threads may share a descriptor. One system call
fills or writes many buffers; nothing is copied on the way.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    VectoredCall = Callable[[int, Sequence[memoryview], int], int]

ANNOUNCED_BYTES = 16 * 2**20
"""Reads that the system is told of before they are waited for, as it has to hold what it reads."""

_MAX_BUFFERS = 512
"""Buffers of one system call; the systems that matter allow 1024."""


@dataclass(frozen=True, slots=True)
class Runs:
    """Rows grouped into stretches that lie one after another.

    Attributes:
        first: (R,) position in the request at which each run begins.
        row: (R,) row of the file that stands there.
        length: (R,) rows in the run.
    """

    first: NDArray[np.int64]
    row: NDArray[np.int64]
    length: NDArray[np.int64]


def consecutive_runs(rows: NDArray[np.int64]) -> Runs:
    """Group rows (M,) into runs of r, r + 1, r + 2, ..."""
    begins = np.ones(len(rows), dtype=bool)
    begins[1:] = np.diff(rows) != 1
    first = np.flatnonzero(begins)
    return Runs(first, rows[first], np.diff(first, append=len(rows)))


@dataclass(frozen=True, slots=True)
class Read:
    """Bytes of a file and where they go.

    Attributes:
        descriptor: of the file.
        offset: place of the first byte in the file.
        buffers: filled one after another.
    """

    descriptor: int
    offset: int
    buffers: Sequence[memoryview]

    @property
    def n_bytes(self) -> int:
        """Size of all buffers."""
        return sum(map(len, self.buffers))


def read_at(descriptor: int, buffers: Sequence[memoryview], offset: int) -> None:
    """Fill byte buffers, one after another, from a place in a file.

    Raises:
        EOFError: the file ends before the buffers are full.
    """
    _move(os.preadv, descriptor, buffers, offset)


def write_at(descriptor: int, buffers: Sequence[memoryview], offset: int) -> None:
    """Write byte buffers, one after another, to a place in a file."""
    _move(os.pwritev, descriptor, buffers, offset)


def announced(reads: Sequence[Read]) -> Iterator[Read]:
    """Each read in turn, when the system has begun with it and with some that follow.

    A disk that knows of many reads serves them faster than one after another. Announcing is a hint:
    where the system or the kind of file knows no such thing, reads are only slower.
    """
    told, ahead = 0, 0
    for read in reads:
        while told < len(reads) and ahead < ANNOUNCED_BYTES:
            _announce(reads[told])
            ahead += reads[told].n_bytes
            told += 1
        yield read
        ahead -= read.n_bytes


def _announce(read: Read) -> None:
    advise = getattr(os, "posix_fadvise", None)
    if advise is not None:
        with suppress(OSError):
            n_bytes = min(read.n_bytes, ANNOUNCED_BYTES)
            advise(read.descriptor, read.offset, n_bytes, os.POSIX_FADV_WILLNEED)


def byte_view(array: NDArray[np.generic]) -> memoryview:
    """The bytes of a contiguous array of any shape."""
    return array.reshape(-1).view(np.uint8).data


def _move(call: VectoredCall, descriptor: int, buffers: Sequence[memoryview], offset: int) -> None:
    """Repeat a vectored call until every byte has been moved."""
    waiting = list(buffers)
    while waiting:
        batch, waiting = waiting[:_MAX_BUFFERS], waiting[_MAX_BUFFERS:]
        while batch:
            moved = call(descriptor, batch, offset)
            if not moved and any(len(buffer) for buffer in batch):
                raise EOFError(f"the file ends at byte {offset}")
            offset += moved
            batch = _after(batch, moved)


def _after(buffers: Sequence[memoryview], moved: int) -> list[memoryview]:
    """What is left of buffers when the first ``moved`` bytes are done."""
    for index, buffer in enumerate(buffers):
        if moved < len(buffer):
            return [buffer[moved:], *buffers[index + 1 :]]
        moved -= len(buffer)
    return []
