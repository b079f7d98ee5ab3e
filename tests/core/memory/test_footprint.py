"""A plan adds up its terms, says them in one line, and knows what is missing."""

from __future__ import annotations

import pytest

from tomodrgn.core.memory.footprint import Footprint, MemoryPlan, ProcessMemory, Term, on_device
from tomodrgn.core.memory.process import process_memory

GB = 10**9
CACHE, BATCH = Term("cache", 4 * GB), Term("batch", GB)


def plan(footprint: Footprint, *, free_gb: float = 10, **facts: int) -> MemoryPlan:
    process = ProcessMemory(held_bytes=2 * GB, peak_bytes=3 * GB)
    return MemoryPlan(
        process=process, footprint=footprint, free_host_bytes=round(free_gb * GB), **facts
    )


def test_the_peak_is_what_is_held_and_what_is_still_taken() -> None:
    assert plan(Footprint(host=(CACHE, BATCH))).host_peak_bytes == 7 * GB


def test_a_peak_that_has_been_is_not_undone() -> None:
    assert plan(Footprint()).host_peak_bytes == 3 * GB


def test_every_process_takes_its_own() -> None:
    footprint = Footprint(host=(CACHE,))
    assert plan(footprint, free_gb=8).shortage() == pytest.approx(0.5)
    assert plan(footprint, free_gb=8, processes=4).shortage() == pytest.approx(2)


def test_the_device_counts_by_itself() -> None:
    footprint = Footprint(host=(BATCH,), device=(CACHE,))
    assert plan(footprint, free_device_bytes=2 * GB).shortage() == pytest.approx(2)
    assert plan(footprint, free_device_bytes=80 * GB).shortage() == pytest.approx(0.1)


def test_terms_lie_where_the_computation_is() -> None:
    assert on_device((BATCH,), is_gpu=True) == Footprint(device=(BATCH,))
    assert on_device((BATCH,), is_gpu=False) == Footprint(host=(BATCH,))
    assert Footprint(host=(CACHE,)) + Footprint(host=(BATCH,)) == Footprint(host=(CACHE, BATCH))


def test_of_two_that_follow_on_each_other_the_larger_counts() -> None:
    first = Footprint(host=(CACHE,), device=(BATCH,))
    assert first.then(Footprint(host=(BATCH,))) == first


def test_one_line_says_the_peak_the_terms_and_what_is_free() -> None:
    footprint = Footprint(host=(CACHE, Term("crumbs", 1000)), device=(BATCH,))
    assert plan(footprint, free_device_bytes=8 * GB).sentence() == (
        "memory: 6.00 GB at the peak (program and tables 2.00, cache 4.00), 10.00 GB more are "
        "free; GPU: 1.00 GB (batch 1.00) of 8.00 GB free"
    )


def test_the_process_knows_what_it_has_taken() -> None:
    before = process_memory()
    block = bytearray(50 * 10**6)
    after = process_memory()
    assert after.held_bytes > before.held_bytes + 0.9 * len(block)
    assert after.peak_bytes >= after.held_bytes * 0.99
