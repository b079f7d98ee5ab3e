"""A disk that cannot be read now, or a clock that jumps, says nothing of what a cache holds."""

from __future__ import annotations

import errno
import itertools
import os
import time
from pathlib import Path

import h5py
import pytest

from tests.core.cache.interrupted import build, digest
from tomodrgn.core.cache import fill, layout
from tomodrgn.core.cache.belongings import own_parts
from tomodrgn.core.cache.progress import is_record
from tomodrgn.core.cache.publish import is_half_published
from tomodrgn.core.cache.seal import verify
from tomodrgn.core.errors import CacheError


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("built") / "cache.h5"
    build(path)
    return path


def failing(monkeypatch: pytest.MonkeyPatch, number: int, nth: int = 1) -> None:
    """Have the system refuse the nth file that is opened to be read, by HDF5 or by Python."""
    left = itertools.count(nth, -1)
    files, opened = h5py.File, Path.open

    def meet(words: str) -> None:
        if next(left) == 1:
            raise OSError(number, words)

    def of_hdf5(name: object, mode: str = "r", **options: object) -> h5py.File:
        if mode == "r":
            meet(f"Unable to synchronously open file (file read failed: errno = {number})")
        return files(name, mode, **options)

    def of_python(path: Path, mode: str = "r", *more: object, **options: object) -> object:
        if mode.startswith("r") and "+" not in mode and ".h5" in path.name:
            meet(os.strerror(number))
        return opened(path, mode, *more, **options)

    monkeypatch.setattr(h5py, "File", of_hdf5)
    monkeypatch.setattr(Path, "open", of_python)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES, errno.EMFILE])
@pytest.mark.parametrize(
    "read",
    [
        layout.read_header,
        layout.read_origin,
        layout.is_cache,
        layout.part_files,
        layout.read_checksums,
        layout.read_image_names,
        verify,
        own_parts,
        is_record,
    ],
)
def test_what_cannot_be_read_is_neither_damaged_nor_foreign(
    cache: Path, monkeypatch: pytest.MonkeyPatch, read, number: int
) -> None:
    failing(monkeypatch, number)
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        read(cache)
    assert (caught.value.errno, caught.value.filename or str(cache)) == (number, str(cache))


def test_a_cache_that_is_half_in_its_place_is_not_built_anew_when_it_cannot_be_read(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache.h5.partial").write_bytes(cache.read_bytes())
    assert is_half_published(tmp_path / "cache.h5")
    failing(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        is_half_published(tmp_path / "cache.h5")


class _StopError(Exception):
    """Stops a build."""


@pytest.mark.parametrize("files", [1, 3])
def test_a_build_whose_files_cannot_be_read_loses_nothing_that_is_done(
    tmp_path: Path, files: int
) -> None:
    folder, whole = tmp_path / "refused", tmp_path / "whole"
    folder.mkdir()
    whole.mkdir()
    path = folder / "cache.h5"
    build(whole / "cache.h5", files)
    n_refused = 0
    for nth in (1, 2, 4, 7):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fill, "write_at", stopping_after(4, fill.write_at))
            with pytest.raises(_StopError):
                build(path, files)
        done = blocks_in(folder)
        assert done
        with pytest.MonkeyPatch.context() as patch:
            failing(patch, errno.EIO, nth)
            try:
                build(path, files)
            except CacheError as error:
                n_refused += 1
                assert "Input/output error" in str(error)  # noqa: PT017
                assert blocks_in(folder) >= done
        build(path, files)
        assert digest(folder) == digest(whole)
        for left in folder.iterdir():
            left.unlink()
    assert n_refused > 1


@pytest.mark.parametrize("jump_s", [-1e9, 1e9])
def test_a_clock_that_jumps_while_a_cache_is_built_and_read_changes_nothing(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    jumps, now = itertools.cycle([0.0, jump_s]), time.time
    monkeypatch.setattr(time, "time", lambda: now() + next(jumps))
    build(tmp_path / "cache.h5")
    assert digest(tmp_path) == digest(cache.parent)


def stopping_after(n_writes: int, write):
    """A function that writes a few times and then stops the build."""
    left = itertools.count(n_writes, -1)

    def limited(*arguments: object) -> None:
        if not next(left):
            raise _StopError
        write(*arguments)

    return limited


def blocks_in(folder: Path) -> int:
    """Finished blocks in all records of a folder."""
    return sum(path.read_bytes().count(b"\n") - 1 for path in folder.glob("*.progress"))
