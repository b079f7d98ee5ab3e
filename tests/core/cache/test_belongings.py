"""Building touches what belongs to the cache, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
import torch

from tests.core.cache.imaginary import ImaginaryReader
from tests.core.cache.interrupted import ONE_IMAGE
from tomodrgn.core.cache import publish
from tomodrgn.core.cache.fetch import load
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.cache.store import ensure_cache, open_cache
from tomodrgn.core.errors import CacheError
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet

AS_BUILT = PreparationSpec()
IN_THREE = CacheSpec(files=3, reserve_gb=0)
ANEW = CacheSpec(rebuild=True, files=1, reserve_gb=0)


@pytest.fixture
def in_three(particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path) -> Path:
    path = tmp_path / "original" / "c.h5"
    build_cache(path, particles, reader, AS_BUILT, IN_THREE, block_bytes=2 * ONE_IMAGE)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["copy.h5", "c.copy.h5"])
def test_a_copy_that_is_rebuilt_leaves_the_parts_of_the_original(
    in_three: Path, particles: ParticleSet, reader: ImaginaryReader, name: str
) -> None:
    copy = in_three.with_name(name)
    shutil.copy(in_three, copy)
    before = contents(in_three.parent)
    ensure_cache(copy, particles, reader, AS_BUILT, ANEW)
    after = contents(in_three.parent)
    assert after.pop(name) != before.pop(name)
    assert after == before
    open_cache(in_three, particles, reader, AS_BUILT)


def test_a_link_to_a_cache_leads_to_what_is_rebuilt(
    in_three: Path, particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    link = tmp_path / "elsewhere.h5"
    link.symlink_to(in_three)
    assert len(open_cache(link, particles, reader, AS_BUILT).files) == 3
    ensure_cache(link, particles, reader, AS_BUILT, ANEW)
    assert link.is_symlink()
    assert [path.name for path in in_three.parent.iterdir()] == ["c.h5"]


@pytest.mark.parametrize("named", ["notes.txt", "../notes.txt", "c.9of3.h5", "c.2of3.h5"])
def test_a_rebuild_removes_no_file_that_is_not_its_own_part(
    in_three: Path, particles: ParticleSet, reader: ImaginaryReader, named: str
) -> None:
    foreign = in_three.parent / named
    foreign.write_bytes(b"precious")
    with h5py.File(in_three, "r+", locking=False) as file:
        shape, number = file["images/coefficients"].shape, file["images/coefficients"].dtype
        layout = h5py.VirtualLayout(shape, number)
        layout[:] = h5py.VirtualSource(named, "images/coefficients", shape, number)
        del file["images/coefficients"]
        file.create_virtual_dataset("images/coefficients", layout)
    ensure_cache(in_three, particles, reader, AS_BUILT, ANEW)
    assert foreign.read_bytes() == b"precious"


@pytest.mark.parametrize(
    "name",
    ["c.2of3.h5", "c.h5.partial", "c.h5.progress", "c.1of3.h5.partial", "c.1of3.h5.progress"],
)
@pytest.mark.parametrize("content", ["text", "hdf5", "json"])
def test_a_file_in_the_way_that_is_none_of_a_cache_is_left_alone(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path, name: str, content: str
) -> None:
    path = tmp_path / name
    if content == "hdf5":
        h5py.File(path, "w").close()
    else:
        path.write_text("precious" if content == "text" else json.dumps({"job": 1, "mine": 2}))
    before = path.read_bytes()
    with pytest.raises(CacheError, match=rf"{name}: this file is not .* is left alone; give"):
        build_cache(tmp_path / "c.h5", particles, reader, AS_BUILT, IN_THREE)
    assert contents(tmp_path) == {name: before}


def test_a_part_of_another_cache_is_not_replaced(
    in_three: Path, particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    shutil.copy(in_three.with_name("c.2of3.h5"), tmp_path / "c.2of3.h5")
    before = contents(tmp_path / "original")
    other = PreparationSpec(window=False)
    with pytest.raises(CacheError, match=r"c.2of3.h5: this file is in the way of a part of c.h5"):
        build_cache(tmp_path / "c.h5", particles, reader, other, IN_THREE)
    with pytest.raises(CacheError, match=r"c.2of3.h5: this is part 2 of a cache"):
        ensure_cache(in_three.with_name("c.2of3.h5"), particles, reader, AS_BUILT, ANEW)
    assert contents(tmp_path / "original") == before


def test_what_killed_builds_left_half_written_is_removed_by_the_next(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    ours = [".c.h5.partial.77.0123abcd.partial", ".c.2of3.h5.progress.77.0123abcd.partial"]
    others = [".d.h5.partial.77.0123abcd.partial", "c.h5.notes", ".c.h5.partial.mine.partial"]
    for name in (*ours, *others):
        (tmp_path / name).write_text("x")
    build_cache(tmp_path / "c.h5", particles, reader, AS_BUILT, CacheSpec(reserve_gb=0))
    assert {path.name for path in tmp_path.iterdir()} == {*others, "c.h5"}


class KilledError(BaseException):
    """Ends a build wherever it is."""


def kill_publication(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """Have a build end when it moves or removes the n-th file after all is finished."""
    left = [-1]
    finish = publish.layout.finish

    def finishing(path: Path, *arguments: object) -> None:
        finish(path, *arguments)  # type: ignore[arg-type]
        if path.name == "c.h5.partial":
            left[0] = moment

    def dying(call: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object, **options: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise KilledError
            return call(*arguments, **options)

        return counted

    monkeypatch.setattr(publish.layout, "finish", finishing)
    monkeypatch.setattr(Path, "replace", dying(Path.replace))
    monkeypatch.setattr(Path, "unlink", dying(Path.unlink))


@pytest.mark.parametrize(
    "files",
    [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)],
)
def test_a_rebuild_that_is_killed_while_it_replaces_a_cache_is_completed_by_the_next_command(
    in_three: Path,
    particles: ParticleSet,
    reader: ImaginaryReader,
    tmp_path: Path,
    files: int,
) -> None:
    spec, folder = CacheSpec(rebuild=True, files=files, reserve_gb=0), tmp_path / "copy"
    n_killed = 0
    for moment in range(1, 30):
        shutil.copytree(in_three.parent, folder)
        with pytest.MonkeyPatch.context() as patch:
            kill_publication(patch, moment)
            try:
                build_cache(folder / "c.h5", particles, reader, AS_BUILT, spec)
                break
            except KilledError:
                n_killed += 1
        keep = CacheSpec(reserve_gb=0)
        cache = ensure_cache(folder / "c.h5", particles, reader, AS_BUILT, keep)
        held = load(cache, torch.device("cpu")).double() * cache.header.scale
        np.testing.assert_array_equal(held, unscaled(in_three))
        if len(cache.files) == files != 3:  # the new one
            names = {"c.h5", *(file.path.name for file in cache.files)}
            assert {path.name for path in folder.iterdir()} == names
        ensure_cache(folder / "c.h5", particles, reader, AS_BUILT, spec)
        assert len(list(folder.iterdir())) == files + (files > 1)
        shutil.rmtree(folder)
    assert n_killed >= 2 * files + (3 if files != 3 else 0)


def unscaled(path: Path) -> NDArray[np.float64]:
    """Coefficients of a cache, as HDF5 reads them, without the scale."""
    with h5py.File(path, "r", locking=False) as file:
        stored = np.asarray(file["images/coefficients"][:], dtype=np.float64)
        return stored * float(file.attrs["scale"])
