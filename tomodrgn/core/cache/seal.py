"""Checksums of a cache: whether what is read is what was written.

The coefficients of each image carry one, ``/images/checksum``, which is looked at whenever they
are read. One of all other bytes of the file stands in front of what HDF5 made, in a block of text
that HDF5 skips, and is looked at before HDF5 is, which may hang on a file that is damaged. The same
block says to which build of a cache a file belongs. Caches of before have neither and are read
unverified.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import xxhash

from tomodrgn.core.errors import CacheError
from tomodrgn.core.files.unreadable import require_readable

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SEAL_BYTES: Final = 512
"""Size of the block of text; a power of two from 512 on, as HDF5 wants it."""

_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_TEXT: Final = re.compile(
    rb"tomodrgn-cache\nbuild ([0-9a-f]*)\npart (\d+)\n"
    rb"(?:but for (\d+) bytes at (\d+): xxh3 ([0-9a-f]{32})\n)?\0*"
)
_BYTES_AT_ONCE: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class Seal:
    """What the block of text says.

    Attributes:
        build: digest of what a cache of several files holds; empty in a cache of one.
        part: number of this file among them, from 1; 0 in the file that names them all.
        n_bytes: size of the coefficients.
        offset: byte of the file at which they begin; 0 where there are none.
        digest: checksum of all other bytes; empty until the file is finished.
    """

    build: str
    part: int
    n_bytes: int = 0
    offset: int = 0
    digest: str = ""


def image_checksums(stored: memoryview, image_bytes: int) -> NDArray[np.uint64]:
    """(M,) checksums of the coefficients of M images that lie one after another."""
    digest, starts = xxhash.xxh3_64_intdigest, range(0, len(stored), image_bytes)
    sums = (digest(stored[start : start + image_bytes]) for start in starts)
    return np.fromiter(sums, np.uint64, len(starts))


def write_seal(path: Path, seal: Seal) -> None:
    """Write the block of text of a file that HDF5 has made, and flush the file to the disk."""
    text = f"tomodrgn-cache\nbuild {seal.build}\npart {seal.part}\n"
    if seal.digest:
        text += f"but for {seal.n_bytes} bytes at {seal.offset}: xxh3 {seal.digest}\n"
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(descriptor, text.encode().ljust(SEAL_BYTES, b"\0"), 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def finish_seal(path: Path, n_bytes: int, offset: int) -> None:
    """Seal a file that is finished.

    Args:
        path: the file, which has a block of text.
        n_bytes: size of the coefficients, which have checksums of their own.
        offset: byte of the file at which they begin.
    """
    seal = read_seal(path)
    if seal is None:
        raise CacheError(f"{path}: another process has changed this file; build it again")
    seal = Seal(seal.build, seal.part, n_bytes, offset)
    write_seal(path, Seal(seal.build, seal.part, n_bytes, offset, _digest(path, seal)))


def read_seal(path: Path) -> Seal | None:
    """The block of text of a file; None of caches of before and of files that are none.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        found = _TEXT.fullmatch(file.read(SEAL_BYTES))
    if found is None:
        return None
    build, part, n_bytes, offset, digest = found.groups(b"")
    return Seal(build.decode(), int(part), int(n_bytes or 0), int(offset or 0), digest.decode())


def verify(path: Path) -> bool:
    """Whether a cache carries checksums, of which that of all but coefficients is right.

    Raises:
        CacheError: it is no cache, not finished, or not as it was written.
        OSError: the system could not read it.
    """
    try:
        with path.open("rb") as file:
            is_of_before = file.read(len(_HDF5)) == _HDF5
        seal = read_seal(path)
        is_whole = seal is None or seal.digest == _digest(path, seal)
    except OSError as error:
        require_readable(path, error)
        raise CacheError(f"{path}: the cache cannot be read ({error.strerror})") from error
    if is_of_before:
        return False
    if seal is None:
        raise CacheError(
            f"{path}: this is no cache, or a damaged one; give another --cache, or delete the "
            "file so that it is built anew"
        )
    if not seal.digest:
        raise CacheError(
            f"{path}: the cache is incomplete; use --rebuild-cache to build it anew, or another "
            "--cache"
        )
    if not is_whole:
        raise CacheError(
            f"{path}: the cache is damaged, its header and tables are not those that were "
            "written; copy it again, or use --rebuild-cache to build it anew"
        )
    return True


def _digest(path: Path, seal: Seal) -> str:
    """Checksum of a seal and of all bytes of its file but the block and the coefficients."""
    digest = xxhash.xxh3_128(f"{seal.build} {seal.part} {seal.n_bytes} {seal.offset}".encode())
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        stops = (min(seal.offset, size), size) if seal.n_bytes else (size,)
        first = SEAL_BYTES
        for stop in stops:
            file.seek(first)
            while first < stop:
                block = file.read(min(_BYTES_AT_ONCE, stop - first))
                if not block:
                    break
                digest.update(block)
                first += len(block)
            first = seal.offset + seal.n_bytes
    return str(digest.hexdigest())
