"""Whatever kills a build, and whoever builds beside it, the cache is whole and the same."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.core.cache.interrupted import ONE_IMAGE, build
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.cache.imaginary import ImaginaryReader
    from tomodrgn.core.particles.tables import ParticleSet


def lines_of(mode: str, folder: Path) -> list[str]:
    """What a run of the interrupted builds prints."""
    command = [sys.executable, "-m", "tests.core.cache.interrupted", mode, str(folder)]
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return run.stdout.split("\n")[:-1]


def test_a_build_killed_at_any_moment_is_completed_to_the_same_file(tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    *digests, end = lines_of("killed", folder)
    build(tmp_path / "whole.h5")
    whole = hashlib.sha256((tmp_path / "whole.h5").read_bytes()).hexdigest()
    assert set(digests) == {f"{whole} []"}
    assert end == "end"
    assert len(digests) > 20  # three for each of four blocks, and those around them


def test_of_two_builders_one_waits_and_uses_the_result(tmp_path: Path) -> None:
    folder = tmp_path / "together"
    folder.mkdir()
    loaded = sorted(map(int, lines_of("together", folder)))
    assert loaded == [0, build(tmp_path / "alone.h5")]
    assert [path.name for path in folder.iterdir()] == ["cache.h5"]


class _StopError(Exception):
    """Stops a build."""


def test_a_resumed_build_loads_only_what_is_missing(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    def stop(done: int, _total: int) -> None:
        if done == 8:
            raise _StopError

    arguments = (tmp_path / "c.h5", particles, reader, PreparationSpec(), CacheSpec(reserve_gb=0))
    try:
        build_cache(*arguments, progress=stop, block_bytes=ONE_IMAGE)
    except _StopError:
        reader.loaded = 0
    build_cache(*arguments, block_bytes=ONE_IMAGE)
    assert reader.loaded == 4


def test_a_partial_of_another_job_is_not_resumed(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    path, spec = tmp_path / "c.h5", CacheSpec(reserve_gb=0)

    def stop(_done: int, _total: int) -> None:
        raise _StopError

    try:
        build_cache(path, particles, reader, PreparationSpec(), spec, progress=stop)
    except _StopError:
        reader.loaded = 0
    build_cache(path, particles, reader, PreparationSpec(window=False), spec)
    assert reader.loaded == 2 * particles.n_images  # once for the scale, once for good
    assert [file.name for file in tmp_path.iterdir()] == ["c.h5"]
