"""A full disk is one message while a cache is built; the next build goes on."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from tests.core.cache.interrupted import build, digest
from tomodrgn.core.cache import fill, hdf5_writing
from tomodrgn.core.errors import CacheError, OutputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FULL = OSError(errno.ENOSPC, "No space left on device")


def full_after(monkeypatch: pytest.MonkeyPatch, n_writes: int) -> None:
    """Have every write of coefficients and through HDF5 fail after the first few."""
    left = n_writes

    def limited(call: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise FULL
            return call(*arguments)

        return counted

    monkeypatch.setattr(fill, "write_at", limited(fill.write_at))
    monkeypatch.setattr(os, "fsync", limited(os.fsync))
    whole = hdf5_writing._UnfailingFile._write_all
    monkeypatch.setattr(hdf5_writing._UnfailingFile, "_write_all", limited(whole))


@pytest.mark.parametrize(("files", "every"), [(1, 25), pytest.param(3, 23, marks=pytest.mark.slow)])
def test_a_disk_that_fills_at_any_write_is_one_message_and_the_build_goes_on(
    tmp_path: Path, files: int, every: int
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    build(whole / "cache.h5", files)
    n_full = 0
    for n_writes in range(0, 1000, every):
        folder = tmp_path / str(n_writes)
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            full_after(patch, n_writes)
            try:
                build(folder / "cache.h5", files)
            except (CacheError, OutputError) as error:
                n_full += 1
                assert "No space left on device" in str(error)  # noqa: PT017
                assert "make room" in str(error)  # noqa: PT017
            else:
                break
        assert not (folder / "cache.h5").exists()
        assert not list(folder.glob(".*"))
        assert not list(folder.glob("*.lock"))
        build(folder / "cache.h5", files)
        assert digest(folder) == digest(whole)
    assert n_full * every > 60
