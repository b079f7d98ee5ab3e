"""A particle costs one read, and rows left out between its rows are dropped."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tomodrgn.core.cache import positioned
from tomodrgn.core.cache.fetch import load, open_file
from tomodrgn.core.cache.positioned import (
    Read,
    announced,
    byte_view,
    consecutive_runs,
    read_at,
    write_at,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.cache.store import CoefficientCache


def test_runs_put_together_are_the_rows() -> None:
    rows = np.array([4, 5, 6, 9, 2, 3, 3, 4, 0])
    runs = consecutive_runs(rows)
    pieces = [np.arange(r, r + n) for r, n in zip(runs.row, runs.length, strict=True)]
    np.testing.assert_array_equal(np.concatenate(pieces), rows)
    assert len(pieces) == 5


@pytest.mark.parametrize("most_bytes", [1, 7, 1000])
def test_short_reads_and_writes_are_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    content = np.arange(100, dtype=np.uint8)

    def short(call, descriptor, buffers, offset):  # type: ignore[no-untyped-def]
        return call(descriptor, [buffers[0][:most_bytes]], offset)

    reading, writing = os.preadv, os.pwritev
    monkeypatch.setattr(positioned.os, "preadv", lambda *a: short(reading, *a))
    monkeypatch.setattr(positioned.os, "pwritev", lambda *a: short(writing, *a))
    descriptor = os.open(tmp_path / "bytes", os.O_RDWR | os.O_CREAT)
    view = byte_view(content)
    write_at(descriptor, [view[:33], view[33:33], view[33:]], 5)
    found = np.zeros_like(content)
    read_at(descriptor, [byte_view(found)[:50], byte_view(found)[50:]], 5)
    os.close(descriptor)
    np.testing.assert_array_equal(found, content)


def test_more_buffers_than_one_call_takes_are_filled(tmp_path: Path) -> None:
    content = np.random.default_rng(0).integers(0, 256, 3000).astype(np.uint8)
    (tmp_path / "bytes").write_bytes(content.tobytes())
    found = np.zeros_like(content)
    view = byte_view(found)
    descriptor = os.open(tmp_path / "bytes", os.O_RDONLY)
    read_at(descriptor, [view[i : i + 1] for i in range(len(view))], 0)
    os.close(descriptor)
    np.testing.assert_array_equal(found, content)


def test_a_subset_of_a_particle_is_one_read(
    cache: CoefficientCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    reading = os.preadv

    def counted(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        reads.append(offset)
        return reading(descriptor, buffers, offset)

    monkeypatch.setattr(positioned.os, "preadv", counted)
    rows = np.array([8, 9, 11, 3, 5, 7])  # two particles, the later one first
    buffer = torch.empty((len(rows), cache.n_coefficients, 2), dtype=torch.float16)
    with open_file(cache) as fetch:
        fetch(rows, buffer)
    assert len(reads) == 2
    monkeypatch.undo()
    assert torch.equal(buffer, load(cache, torch.device("cpu"))[rows])


@pytest.mark.parametrize(("most_bytes", "ahead"), [(2**20, 3), (1, 1)])
def test_reads_are_announced_some_ahead(
    cache: CoefficientCache, monkeypatch: pytest.MonkeyPatch, most_bytes: int, ahead: int
) -> None:
    calls: list[tuple[str, int]] = []
    reading = os.preadv

    def advise(descriptor: int, offset: int, size: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_WILLNEED
        assert size <= most_bytes
        calls.append(("announced", offset))

    def read(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        calls.append(("read", offset))
        return reading(descriptor, buffers, offset)

    monkeypatch.setattr(positioned, "ANNOUNCED_BYTES", most_bytes)
    monkeypatch.setattr(positioned.os, "posix_fadvise", advise)
    monkeypatch.setattr(positioned.os, "preadv", read)
    rows = np.array([8, 9, 11, 3, 5, 7, 0])  # three particles
    with open_file(cache) as fetch:
        fetch(rows, torch.empty((len(rows), cache.n_coefficients, 2), dtype=torch.float16))
    told = [offset for kind, offset in calls if kind == "announced"]
    assert told == [offset for kind, offset in calls if kind == "read"]
    assert [kind for kind, _ in calls[: ahead + 1]] == ["announced"] * ahead + ["read"]


def test_announcing_is_no_more_than_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    receiving, sending = os.pipe()  # what cannot be read at a place
    reads = [Read(receiving, place, [memoryview(bytearray(10))]) for place in (0, 40)]
    assert list(announced(reads)) == reads
    os.close(sending)
    os.close(receiving)
    monkeypatch.delattr(positioned.os, "posix_fadvise")  # as on macOS
    assert list(announced(reads)) == reads
