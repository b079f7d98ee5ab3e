"""MRC files that no program writes are read right or refused, before memory is taken."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.mrc import (
    read_mrc_header,
    read_mrc_slices,
    read_volume,
    write_stack,
)

if TYPE_CHECKING:
    from pathlib import Path

MOST_SECONDS = 2.0
MAX_BYTES = 1_000_000
SHAPE = (5, 8, 8)
HEADER_FIELDS = {"nx": 0, "ny": 4, "nz": 8, "mode": 12, "mx": 28, "cell": 40, "nsymbt": 92}
"""Offsets of the numbers that reading depends on."""

HOSTILE_NUMBERS = (0, 1, -1, 3, 4, 7, 101, 2**15, 2**20, 2**31 - 1, -(2**31), 0x7FC00000)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    write_stack(tmp_path / "a.mrcs", pixels, 2.0)
    return tmp_path / "a.mrcs"


def _mutated(raw: bytes, seed: int) -> bytes:
    """A file after some changes, always the same ones for a seed."""
    rng, changed = random.Random(seed), bytearray(raw)  # noqa: S311  no secrets here
    for _ in range(rng.randrange(1, 4)):
        change = rng.randrange(5)
        if change == 0:
            order = rng.choice("<>")
            number = rng.choice(HOSTILE_NUMBERS)
            struct.pack_into(f"{order}i", changed, rng.choice([*HEADER_FIELDS.values()]), number)
        elif change == 1:
            changed[rng.randrange(224)] = rng.randrange(256)
        elif change == 2:
            changed[208:216] = rng.randbytes(8)
        elif change == 3:
            del changed[max(1024, rng.randrange(len(changed))) :]
        else:
            changed += rng.randbytes(rng.randrange(2000))
    return bytes(changed)


def _read_within_bounds(path: Path) -> bool:
    """Whether a file was read, in bounded time and memory; refusals are in one line."""
    started = time.process_time()
    tracemalloc.start()
    message = ""
    try:
        header = read_mrc_header(path)
        assert header.pixel_size_a >= 0
        assert np.isfinite(header.pixel_size_a)
        last = np.array([header.shape[0] - 1])
        assert read_mrc_slices(path, last).shape == (1, *header.shape[1:])
        assert read_volume(path)[0].shape == header.shape
    except DataError as error:
        message = str(error)
    finally:
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert time.process_time() - started < MOST_SECONDS
    assert peak_bytes < MAX_BYTES
    assert not message or (message.startswith(str(path)) and "\n" not in message)
    return not message


@pytest.mark.parametrize("block", range(5))
def test_mutated_files_are_read_or_refused(block: int, stack: Path) -> None:
    raw = stack.read_bytes()
    n_read = 0
    for seed in range(60 * block, 60 * block + 60):
        stack.write_bytes(_mutated(raw, seed))
        n_read += _read_within_bounds(stack)
    assert 0 < n_read < 60  # the changes neither spare nor spoil every file


@pytest.mark.parametrize("number", HOSTILE_NUMBERS)
@pytest.mark.parametrize("field", HEADER_FIELDS)
def test_every_number_of_a_header_may_lie(field: str, number: int, stack: Path) -> None:
    raw = bytearray(stack.read_bytes())
    struct.pack_into("<i", raw, HEADER_FIELDS[field], number)
    stack.write_bytes(raw)
    _read_within_bounds(stack)


@pytest.mark.parametrize("n_bytes", [0, 1, 1023, 1024, 1025, 2000])
def test_files_that_end_early_are_refused(n_bytes: int, stack: Path) -> None:
    stack.write_bytes(stack.read_bytes()[:n_bytes])
    assert not _read_within_bounds(stack)


def test_pixel_sizes_that_cannot_be_are_none(stack: Path) -> None:
    raw = bytearray(stack.read_bytes())
    for size in (np.nan, np.inf, -8.0):
        struct.pack_into("<f", raw, HEADER_FIELDS["cell"], size)
        stack.write_bytes(raw)
        assert read_mrc_header(stack).pixel_size_a == 0


def test_text_and_noise_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mrcs"
    for content in (b"data_\n" * 1000, bytes(5000), b"\xff" * 5000):
        path.write_bytes(content)
        assert not _read_within_bounds(path)
