"""Builds that are killed or run at once, in forked children of a process that has no threads.

``python -m tests.core.cache.interrupted killed FOLDER FILES EVERY RANKS`` prints, for every n-th
moment at which a build by some processes of one job reached the disk, the digest of the cache that
the next build, by one process, completed, and ``end`` after the first build that was not killed.
``... beside FOLDER FILES EVERY`` prints, for every such moment at which a build was stopped, what
another job did that wanted to build then, and the digest of the cache in the end.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.core.cache.crew import in_team
from tests.core.cache.imaginary import imaginary_particles, imaginary_reader
from tomodrgn.core.cache.layout import part_files, read_header
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.cache.team import ALONE
from tomodrgn.core.errors import OutputError
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.cache.team import Team

ONE_IMAGE = 4 * 16 * 16


def build(path: Path, n_files: int = 1, team: Team = ALONE) -> int:
    """Build in four blocks, or more in several files; return how many images were loaded."""
    particles = imaginary_particles()
    reader = imaginary_reader(particles)
    spec = CacheSpec(reserve_gb=0, files=n_files)
    build_cache(
        path, particles, reader, PreparationSpec(), spec, block_bytes=3 * ONE_IMAGE, team=team
    )
    return reader.loaded


def signal_before(moment: int, number: signal.Signals) -> None:
    """Send this process a signal before it reaches the disk for the n-th time."""
    calls = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: object) -> object:
            nonlocal calls
            calls += 1
            if calls == moment:
                os.kill(os.getpid(), number)
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


def killed(folder: Path, n_files: int, every: int, ranks: int) -> None:
    """Kill a build at every n-th moment, complete it, and print the digest of the result."""
    path = folder / "cache.h5"

    def build_till(moment: int) -> None:
        signal_before(moment, signal.SIGKILL)
        in_team(ranks, lambda member: build(path, n_files, member))

    for moment in range(1, 1000, every):
        status = forked(lambda moment=moment: build_till(moment))
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
    """Digest of the files of a cache, and the names of all.

    Of a file that names parts it takes the attributes: HDF5 leaves a few bytes of it to chance.
    """
    files = sorted(folder.iterdir())
    content = hashlib.sha256()
    for path in files:
        is_index = path.suffix == ".h5" and part_files(path)
        content.update(repr(read_header(path)).encode() if is_index else path.read_bytes())
    return f"{content.hexdigest()} {[path.name for path in files]}"


def beside(folder: Path, n_files: int, every: int) -> None:
    """Stop a build at every n-th moment, have another job try, and let the first go on."""
    other = folder.with_name("second_path")
    other.symlink_to(folder)
    for moment in range(1, 1000, every):
        child = os.fork()
        if not child:
            signal_before(moment, signal.SIGSTOP)
            build(folder / "cache.h5", n_files)
            os._exit(0)
        if not os.WIFSTOPPED(os.waitpid(child, os.WUNTRACED)[1]):
            print("end", flush=True)  # noqa: T201
            return
        second = "built" if not forked(lambda: try_to_build(other / "cache.h5", n_files)) else "no"
        os.kill(child, signal.SIGCONT)
        first = "built" if not os.waitpid(child, 0)[1] else "no"
        print(f"{first} {second} {digest(folder)}", flush=True)  # noqa: T201
        for leftover in folder.iterdir():
            leftover.unlink()


def try_to_build(path: Path, n_files: int) -> None:
    """Build, or be told that another job does."""
    try:
        build(path, n_files)
    except OutputError as error:
        os._exit(7 if "is writing there; wait until it has ended" in str(error) else 8)


if __name__ == "__main__":
    mode, place, *counts = sys.argv[1:]
    {"killed": killed, "beside": beside}[mode](Path(place), *map(int, counts))
