"""Builds that are killed or run at once, in forked children of a process that has no threads.

``python -m tests.core.cache.interrupted killed FOLDER FILES EVERY`` prints, for every n-th moment
at which a build reached the disk, the digest of the cache that the next build completed, and
``end`` after the first build that was not killed. ``... together FOLDER FILES`` prints what each of
two builders loaded.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.core.cache.imaginary import imaginary_particles, imaginary_reader
from tomodrgn.core.cache.layout import part_files, read_header
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from collections.abc import Callable

ONE_IMAGE = 4 * 16 * 16


def build(path: Path, n_files: int = 1) -> int:
    """Build in four blocks, or more in several files; return how many images were loaded."""
    particles = imaginary_particles()
    reader = imaginary_reader(particles)
    spec = CacheSpec(reserve_gb=0, files=n_files)
    build_cache(path, particles, reader, PreparationSpec(), spec, block_bytes=3 * ONE_IMAGE)
    return reader.loaded


def die_before(moment: int) -> None:
    """Have this process kill itself before it reaches the disk for the n-th time."""
    calls = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: object) -> object:
            nonlocal calls
            calls += 1
            if calls == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args)

        return counting

    for name in ("fsync", "pwritev", "replace", "unlink"):
        setattr(os, name, counted(getattr(os, name)))


def forked(work: Callable[[], object]) -> int:
    """Run in a forked child; return its wait status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    work()
    os._exit(0)


def killed(folder: Path, n_files: int, every: int) -> None:
    """Kill a build at every n-th moment, complete it, and print the digest of the result."""
    path = folder / "cache.h5"
    for moment in range(1, 1000, every):
        status = forked(lambda moment=moment: (die_before(moment), build(path, n_files)))
        if not os.WIFSIGNALED(status):
            print("end", flush=True)  # noqa: T201
            return
        print(digest_after(path, n_files), flush=True)  # noqa: T201
        for leftover in folder.iterdir():
            leftover.unlink()


def digest_after(path: Path, n_files: int) -> str:
    """Complete a build; digest of the files that make the cache, and their names."""
    if forked(lambda: build(path, n_files)):
        return "the next build failed"
    return digest(path.parent)


def digest(folder: Path) -> str:
    """Digest of the files of a cache, and the names of all that are not hidden.

    Of a file that names parts it takes the attributes: HDF5 leaves a few bytes of it to chance.
    """
    files = sorted(path for path in folder.iterdir() if path.name[0] != ".")
    content = hashlib.sha256()
    for path in files:
        is_index = path.suffix == ".h5" and part_files(path)
        content.update(repr(read_header(path)).encode() if is_index else path.read_bytes())
    return f"{content.hexdigest()} {[path.name for path in files]}"


def together(folder: Path, n_files: int) -> None:
    """Two builders at once."""
    children = []
    for _ in range(2):
        child = os.fork()
        if not child:
            print(build(folder / "cache.h5", n_files), flush=True)  # noqa: T201
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    mode, place, *counts = sys.argv[1:]
    {"killed": killed, "together": together}[mode](Path(place), *map(int, counts))
