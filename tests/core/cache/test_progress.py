"""A record holds the blocks that are safe, for one job only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tomodrgn.core.cache.power import BlockPower
from tomodrgn.core.cache.progress import BuildRecord, count_blocks, read_record

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def record(tmp_path: Path) -> BuildRecord:
    made = BuildRecord(tmp_path / "c.h5.progress", "job", 0.5)
    made.write()
    with made.appending() as add:
        add(3, BlockPower((0.1 + 0.2, 1e-30), {-3: 2, 5: 1}, 1e-300))
        add(1, BlockPower((7.0,), {3: 1}, 2.0))
    return made


def test_a_record_survives_a_round_trip_bit_for_bit(record: BuildRecord) -> None:
    assert read_record(record.path, "job") == record
    assert count_blocks(record.path) == 2


def test_the_record_of_another_job_does_not_count(record: BuildRecord) -> None:
    assert read_record(record.path, "another") is None


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_torn_last_line_does_not_count(record: BuildRecord, cut: int) -> None:
    record.path.write_bytes(record.path.read_bytes()[:-cut])
    found = read_record(record.path, "job")
    assert found is not None
    assert list(found.power) == [3]


def test_a_damaged_record_does_not_count(record: BuildRecord) -> None:
    record.path.write_text('{"job": "job"}\n')
    assert read_record(record.path, "job") is None


def test_a_builder_that_lost_its_lease_does_not_touch_its_successors_record(
    record: BuildRecord,
) -> None:
    with record.appending() as add:
        successor = BuildRecord(record.path, "job", 0.5)
        successor.write()
        add(9, BlockPower((1.0,), {1: 1}, 1.0))
    assert read_record(record.path, "job") == successor
