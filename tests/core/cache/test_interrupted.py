"""Whatever kills a build, and whoever builds beside it, the cache is whole and the same."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.core.cache.interrupted import ONE_IMAGE, build, digest
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.cache.imaginary import ImaginaryReader
    from tomodrgn.core.particles.tables import ParticleSet


def lines_of(mode: str, folder: Path, *numbers: int) -> list[str]:
    """What a run of the interrupted builds prints."""
    folder.mkdir()
    arguments = [mode, str(folder), *map(str, numbers)]
    command = [sys.executable, "-m", "tests.core.cache.interrupted", *arguments]
    run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return run.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("n_files", "every"), [(1, 1), (2, 7), pytest.param(3, 1, marks=pytest.mark.slow)]
)
def test_a_build_killed_at_any_moment_is_completed_to_the_same_files(
    tmp_path: Path, n_files: int, every: int
) -> None:
    *digests, end = lines_of("killed", tmp_path / "killed", n_files, every)
    (tmp_path / "whole").mkdir()
    build(tmp_path / "whole" / "cache.h5", n_files)
    assert set(digests) == {digest(tmp_path / "whole")}
    assert end == "end"
    assert len(digests) * every > 20  # three for each of four blocks, and those around them


def test_of_two_builders_one_waits_and_uses_the_result(tmp_path: Path) -> None:
    loaded = sorted(map(int, lines_of("together", tmp_path / "together", 1)))
    assert loaded == [0, build(tmp_path / "alone.h5")]
    assert [path.name for path in (tmp_path / "together").iterdir()] == ["cache.h5"]


def test_two_builders_share_the_parts(tmp_path: Path) -> None:
    loaded = list(map(int, lines_of("together", tmp_path / "together", 3)))
    (tmp_path / "whole").mkdir()
    assert sum(loaded) == build(tmp_path / "whole" / "cache.h5", 3)  # nothing was done twice
    assert digest(tmp_path / "together") == digest(tmp_path / "whole")


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
