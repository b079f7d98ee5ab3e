"""Training from the file against training from memory, with work too small to mean anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import lazy
from benchmarks.random_cache import random_cache

if TYPE_CHECKING:
    from pathlib import Path


def test_shares_are_of_the_same_steps(tmp_path: Path) -> None:
    cache = random_cache(tmp_path / "cache.h5", 1e-4, 8)
    row = lazy.measure(cache, steps=1, rounds=1)
    share = 100 * float(row["ram_s"]) / float(row["stream_s"])
    assert row["percent_of_ram"] == pytest.approx(share)  # of one round, so of the same numbers
    assert float(row["percent_of_ram_processor"]) > 0
