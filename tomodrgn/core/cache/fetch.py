"""Rows of coefficients into a buffer: from the file by positioned reads, or from memory."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from tomodrgn.core.cache.positioned import (
    Read,
    announced,
    byte_view,
    consecutive_runs,
    read_at,
)
from tomodrgn.core.cache.seal import image_checksums
from tomodrgn.core.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.cache.store import CoefficientCache

GAP_BYTES = 256 * 2**10
"""Rows left out between two that are wanted are read and dropped up to this size: reading them
takes less time than a second call."""

_LOAD_BYTES = 64 * 2**20


class Fetch(Protocol):
    """Copies rows into a buffer; called from several threads at once."""

    def __call__(self, rows: NDArray[np.int64], buffer: Tensor) -> None:
        """Fill ``buffer`` (M, P, 2), of the stored number type, with the cache rows (M,)."""


@dataclass(frozen=True, slots=True)
class FileFetch:
    """One positioned read for each particle: its rows and small gaps between them.

    Attributes:
        cache: the files.
        descriptors: of each file, open for reading.
    """

    cache: CoefficientCache
    descriptors: Sequence[int]
    _dropped: threading.local = field(default_factory=threading.local)

    def __call__(self, rows: NDArray[np.int64], buffer: Tensor) -> None:
        """See :class:`Fetch`."""
        if not len(rows):
            return
        if rows.min() < 0 or rows.max() >= self.cache.n_images:
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {self.cache.n_images}")
        wanted = byte_view(buffer.numpy())
        reads, bounds = self._reads(rows, wanted)
        for read, first, last in zip(announced(reads), bounds, bounds[1:], strict=False):
            self._read(read)
            self._verify(rows[first:last], wanted, first)

    def _reads(self, rows: NDArray[np.int64], wanted: memoryview) -> tuple[list[Read], list[int]]:
        """What to read for rows, whose bytes go to ``wanted``; what lies between is dropped.

        Also which of the rows each read begins with, and their number.
        """
        size, files = self.cache.header.image_bytes, self.cache.files
        firsts = np.array([file.first for file in files])
        of_row = np.searchsorted(firsts, rows, side="right") - 1
        runs = consecutive_runs(rows + of_row)  # a run ends with its file
        of_run = of_row[runs.first]
        gaps = (runs.row[1:] - (runs.row + runs.length)[:-1]) * size
        joined = (gaps >= 0) & (gaps <= GAP_BYTES) & (np.diff(of_run) == 0)
        begins = np.flatnonzero(np.concatenate([[True], ~joined])).tolist()
        starts, stops = (runs.first * size).tolist(), ((runs.first + runs.length) * size).tolist()
        row_in_file = rows[runs.first] - firsts[of_run]
        offsets = (np.array([file.offset for file in files])[of_run] + row_in_file * size).tolist()
        gap_sizes, numbers = gaps.tolist(), of_run.tolist()
        reads = []
        for first, last in pairwise([*begins, len(starts)]):
            buffers = [wanted[starts[first] : stops[first]]]
            for run in range(first + 1, last):
                buffers += [self._sink()[: gap_sizes[run - 1]], wanted[starts[run] : stops[run]]]
            reads.append(Read(self.descriptors[numbers[first]], offsets[first], buffers))
        return reads, [*runs.first[begins].tolist(), len(rows)]

    def _verify(self, rows: NDArray[np.int64], wanted: memoryview, first: int) -> None:
        """Compare rows of one file, which lie from the given place on, with their checksums.

        Raises:
            CacheError: they are not what was written.
        """
        file = self.cache.file_of(int(rows[0]))
        if file.checksums is None:
            return
        size = self.cache.header.image_bytes
        found = image_checksums(wanted[first * size : (first + len(rows)) * size], size)
        is_damaged = found != file.checksums[rows - file.first]
        if is_damaged.any():
            name = self.cache.image_name(int(rows[is_damaged][0]))
            more = f" and {is_damaged.sum() - 1} more" if is_damaged.sum() > 1 else ""
            raise CacheError(
                f"{file.path}: the cache is damaged, the coefficients of image {name}{more} are "
                "not those that were written; copy it again, or use --rebuild-cache to build it "
                "anew"
            )

    def _sink(self) -> memoryview:
        """This thread's place for bytes that nobody wants."""
        if not hasattr(self._dropped, "bytes"):
            self._dropped.bytes = memoryview(bytearray(GAP_BYTES))
        sink: memoryview = self._dropped.bytes
        return sink

    def _read(self, read: Read) -> None:
        """One read, with the file named in its errors."""
        try:
            read_at(read.descriptor, read.buffers, read.offset)
        except (OSError, EOFError) as error:
            path = self.cache.files[self.descriptors.index(read.descriptor)].path
            raise CacheError(
                f"{path}: reading at byte {read.offset} failed ({error}); check the "
                "disk, or give another --cache"
            ) from error


@dataclass(frozen=True, slots=True)
class MemoryFetch:
    """Rows of coefficients that are held in memory, (n_images, P, 2)."""

    held: Tensor

    def __call__(self, rows: NDArray[np.int64], buffer: Tensor) -> None:
        """See :class:`Fetch`."""
        torch.index_select(self.held, 0, torch.from_numpy(rows), out=buffer)


@contextmanager
def open_file(cache: CoefficientCache) -> Iterator[FileFetch]:
    """Reads from the files of a cache while the block runs."""
    with ExitStack() as stack:
        descriptors = []
        for file in cache.files:
            descriptors.append(file.open_file())
            stack.callback(os.close, descriptors[-1])
        yield FileFetch(cache, descriptors)


def load(cache: CoefficientCache, device: torch.device) -> Tensor:
    """(n_images, P, 2) all coefficients as they are stored, held on a device."""
    header = cache.header
    number = torch.float16 if header.dtype == "float16" else torch.float32
    held = torch.empty((header.n_images, header.n_coefficients, 2), dtype=number, device=device)
    step = max(1, _LOAD_BYTES // header.image_bytes)
    with open_file(cache) as fetch:
        for first in range(0, header.n_images, step):
            block = held[first : first + step]
            buffer = block if device.type == "cpu" else torch.empty_like(block, device="cpu")
            fetch(np.arange(first, first + len(block)), buffer)
            if buffer is not block:
                block.copy_(buffer)
    return held
