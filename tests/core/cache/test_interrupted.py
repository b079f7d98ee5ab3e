"""Whatever kills a build, and whoever builds beside it, the cache is whole and the same."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.core.cache.interrupted import ONE_IMAGE, build, digest
from tests.docs import warm_python
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.cache.imaginary import ImaginaryReader
    from tomodrgn.core.particles.tables import ParticleSet


def lines_of(socket: Path, mode: str, folder: Path, *numbers: int) -> list[str]:
    """What a run of the interrupted builds prints."""
    folder.mkdir()
    words = ["-m", "tests.core.cache.interrupted", mode, folder, *numbers]
    run = warm_python.run(socket, words, os.environ)
    assert run.returncode == 0, run.stderr
    return run.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("n_files", "every", "ranks"),
    [
        (1, 3, 1),
        (2, 11, 2),
        pytest.param(1, 1, 1, marks=pytest.mark.slow),
        pytest.param(3, 1, 1, marks=pytest.mark.slow),
        pytest.param(3, 2, 2, marks=pytest.mark.slow),
    ],
)
def test_a_build_killed_at_any_moment_is_completed_to_the_same_files(
    warm_socket: Path, tmp_path: Path, n_files: int, every: int, ranks: int
) -> None:
    *digests, end = lines_of(warm_socket, "killed", tmp_path / "killed", n_files, every, ranks)
    (tmp_path / "whole").mkdir()
    build(tmp_path / "whole" / "cache.h5", n_files)
    assert set(digests) == {digest(tmp_path / "whole")}
    assert end == "end"
    assert len(digests) * every > 20  # three for each of four blocks, and those around them


@pytest.mark.parametrize(
    ("n_files", "every"),
    [
        (1, 9),
        pytest.param(1, 1, marks=pytest.mark.slow),
        pytest.param(3, 2, marks=pytest.mark.slow),
    ],
)
def test_while_one_job_builds_another_is_refused_also_through_another_path(
    warm_socket: Path, tmp_path: Path, n_files: int, every: int
) -> None:
    *found, end = lines_of(warm_socket, "beside", tmp_path / "first", n_files, every)
    (tmp_path / "whole").mkdir()
    build(tmp_path / "whole" / "cache.h5", n_files)
    whole = digest(tmp_path / "whole")
    assert end == "end"
    assert {line.partition(" ")[2].partition(" ")[2] for line in found} == {whole}
    outcomes = [line.split(" ")[:2] for line in found]
    assert ["built", "no"] in outcomes[:-1]
    assert all("built" in outcome for outcome in outcomes)
    assert len(outcomes) * every > 20


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
