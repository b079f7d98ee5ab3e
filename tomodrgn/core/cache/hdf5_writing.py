"""HDF5 files written so that a full disk is an error like any other.

When HDF5 cannot write what it still holds while it closes a file, it ends the whole program with
a segmentation fault. Here it never meets an error: after the first one nothing more is written, and
that error is raised once HDF5 is done.
"""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeVar

import h5py

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from _typeshed import ReadableBuffer, WriteableBuffer

ResultT = TypeVar("ResultT")


@contextmanager
def hdf5_writing(
    path: Path, mode: Literal["w", "r+"], *, skipping: int | None = None
) -> Iterator[h5py.File]:
    """An HDF5 file, created (``w``) or changed (``r+``) in the block.

    Args:
        path: the file.
        mode: see above.
        skipping: bytes at the front of a new file that HDF5 is to leave to others.

    Raises:
        OSError: something could not be written.
    """
    with path.open("w+b" if mode == "w" else "r+b", buffering=0) as raw:
        unfailing = _UnfailingFile(raw)
        with h5py.File(unfailing, mode, userblock_size=skipping) as file:
            yield file
        if unfailing.error is not None:
            raise unfailing.error


class _UnfailingFile(io.RawIOBase):
    """A file that keeps its first error to itself, and stays as it was from then on."""

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self.error: OSError | None = None

    def write(self, content: ReadableBuffer) -> int:
        return self._attempt(lambda: self._write_all(content), len(memoryview(content)))

    def truncate(self, size: int | None = None) -> int:
        return self._attempt(lambda: self._raw.truncate(size), size or 0)

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        return self._raw.readinto(buffer)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def _write_all(self, content: ReadableBuffer) -> int:
        rest = memoryview(content).cast("B")
        n_bytes = len(rest)
        while rest:
            rest = rest[self._raw.write(rest) :]
        return n_bytes

    def _attempt(self, action: Callable[[], ResultT], otherwise: ResultT) -> ResultT:
        if self.error is None:
            try:
                return action()
            except OSError as error:
                self.error = error
        return otherwise
