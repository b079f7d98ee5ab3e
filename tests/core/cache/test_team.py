"""Processes of one job build a cache together, and give the files that one process gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.core.cache.crew import StoppedError, in_team
from tests.core.cache.imaginary import ImaginaryReader, imaginary_particles, imaginary_reader
from tests.core.cache.interrupted import ONE_IMAGE, digest
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.cache.store import ensure_cache
from tomodrgn.core.errors import DataError, OutputError
from tomodrgn.core.ownership.lease import lock_of_file, one_writer
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.core.cache.crew import Member
    from tomodrgn.core.particles.tables import ParticleSet

IN_THREE = CacheSpec(files=3, reserve_gb=0)


def building(
    folder: Path, spec: CacheSpec = IN_THREE, strongest: int | None = None
) -> Callable[[Member], int]:
    """Build as one of a team; how many images it loaded."""

    def work(member: Member) -> int:
        particles = imaginary_particles()
        reader = imaginary_reader(particles)
        if strongest is not None:
            reader.pixels[particles.source_image[strongest]] *= 1e6
        build_cache(
            folder / "c.h5", particles, reader, PreparationSpec(), spec,
            block_bytes=2 * ONE_IMAGE, team=member,
        )  # fmt: skip
        return reader.loaded

    return work


@pytest.mark.parametrize("strongest", [None, 9])  # float16 overflows at the first scale
@pytest.mark.parametrize("size", [2, 4])
def test_a_team_gives_the_files_of_one_process(
    tmp_path: Path, size: int, strongest: int | None
) -> None:
    (alone,) = in_team(1, building(tmp_path / "one", strongest=strongest))
    loaded = in_team(size, building(tmp_path / "team", strongest=strongest))
    assert digest(tmp_path / "team") == digest(tmp_path / "one")
    assert sum(loaded) == alone  # nothing is done twice
    assert all(loaded[: min(size, 3)])  # and everybody has a share


def test_a_large_cache_has_a_file_for_each_process_unless_one_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_team(2, building(tmp_path / "small", CacheSpec(reserve_gb=0)))
    assert [path.name for path in (tmp_path / "small").iterdir()] == ["c.h5"]
    monkeypatch.setattr("tomodrgn.core.cache.job.SHARE_BYTES", 1000)
    in_team(2, building(tmp_path / "two", CacheSpec(reserve_gb=0)))
    in_team(2, building(tmp_path / "one", CacheSpec(reserve_gb=0, files=1)))
    assert {path.name for path in (tmp_path / "two").iterdir()} == {
        "c.1of2.h5", "c.2of2.h5", "c.h5",
    }  # fmt: skip
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["c.h5"]


def test_a_fault_of_one_process_stops_all_and_leaves_nothing(tmp_path: Path) -> None:
    def work(member: Member) -> None:
        particles = imaginary_particles()
        reader = imaginary_reader(particles)
        if member.rank == 1:
            reader.pixels[particles.source_image[5], 0, 0] = np.nan
        build_cache(
            tmp_path / "c.h5", particles, reader, PreparationSpec(), IN_THREE,
            block_bytes=ONE_IMAGE, team=member,
        )  # fmt: skip

    main, other = in_team(2, work)
    assert isinstance(main, StoppedError)
    assert isinstance(other, DataError)
    assert "not finite" in str(main)
    assert not list(tmp_path.iterdir())


def test_nodes_with_folders_of_their_own_build_each_a_cache(tmp_path: Path) -> None:
    def work(member: Member) -> int:
        return building(tmp_path / f"node{member.rank}")(member)

    loaded = in_team(2, work, has_nodes=True)
    assert loaded[0] == loaded[1]
    assert digest(tmp_path / "node0") == digest(tmp_path / "node1")


def test_only_the_node_without_a_cache_builds_it(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    spec = CacheSpec(reserve_gb=0)
    readers = [imaginary_reader(particles) for _ in range(2)]
    ensure_cache(tmp_path / "node0" / "c.h5", particles, reader, PreparationSpec(), spec)

    def work(member: Member) -> None:
        path, own = tmp_path / f"node{member.rank}" / "c.h5", readers[member.rank]
        ensure_cache(path, particles, own, PreparationSpec(), spec, team=member)

    assert in_team(2, work, has_nodes=True) == [None, None]
    assert readers[0].loaded == 0
    assert readers[1].loaded > 0


@pytest.mark.parametrize("files", [1, 3])
def test_a_second_job_is_refused_in_words(tmp_path: Path, files: int) -> None:
    path = tmp_path / "c.h5"
    with one_writer(lock_of_file(path), place=path):
        (refused,) = in_team(1, building(tmp_path, CacheSpec(reserve_gb=0, files=files)))
    assert isinstance(refused, OutputError)
    assert "c.h5: process" in str(refused)
    assert "wait until it has ended" in str(refused)
    assert not list(tmp_path.iterdir())


def test_a_job_that_lost_its_lease_stops(tmp_path: Path) -> None:
    def work(member: Member) -> None:
        particles = imaginary_particles()
        reader = imaginary_reader(particles)

        def lose(done: int, _total: int) -> None:
            if done > 3:
                lock_of_file(tmp_path / "c.h5").unlink(missing_ok=True)

        build_cache(
            tmp_path / "c.h5", particles, reader, PreparationSpec(), CacheSpec(reserve_gb=0),
            block_bytes=2 * ONE_IMAGE, team=member, progress=lose,
        )  # fmt: skip

    (refused,) = in_team(1, work)
    assert isinstance(refused, OutputError)
    assert "another process writes here now" in str(refused)
    assert not (tmp_path / "c.h5").exists()
