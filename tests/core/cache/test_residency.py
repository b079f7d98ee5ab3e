"""The planner takes the fastest place that has room, and says why in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from tomodrgn.core.cache import residency
from tomodrgn.core.cache.residency import free_memory_bytes, plan
from tomodrgn.core.specs.dataset import CacheSpec

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")
GPU = torch.device("cuda", 0)
GB = 10**9


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 GB free on a GPU of 10, 20 GB of free memory."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (8 * GB, 10 * GB))
    monkeypatch.setattr(residency, "free_memory_bytes", lambda: 20 * GB)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("size_gb", "device", "kind"),
    [
        (4, GPU, "device"),
        (6, GPU, "ram"),
        (11, GPU, "ram"),
        (13, GPU, "stream"),
        (4, CPU, "ram"),
        (13, CPU, "stream"),
    ],
)
def test_the_fastest_place_with_room_is_taken(
    size_gb: int, device: torch.device, kind: str
) -> None:
    assert plan(size_gb * GB, CacheSpec(), device).kind == kind


@pytest.mark.usefixtures("machine")
def test_the_reason_holds_the_numbers() -> None:
    reason = plan(13 * GB, CacheSpec(), GPU).reason
    assert reason == (
        "images read from disk: 13.00 GB are too large for 60% of 8.0 of 10.0 GB free on cuda:0 "
        "and of 20.0 GB free memory"
    )


@pytest.mark.usefixtures("machine")
def test_processes_share_the_memory() -> None:
    assert plan(4 * GB, CacheSpec(), CPU, processes=4).kind == "stream"


@pytest.mark.usefixtures("machine")
def test_the_work_comes_before_the_cache() -> None:
    assert plan(4 * GB, CacheSpec(), GPU, device_work_bytes=2 * GB).kind == "ram"
    chosen = plan(4 * GB, CacheSpec(), GPU, device_work_bytes=2 * GB, host_work_bytes=15 * GB)
    assert chosen.reason == (
        "images read from disk: 4.00 GB are too large for 60% of 6.0 of 10.0 GB free on cuda:0 "
        "beside 2.0 GB for the work and of 5.0 GB free memory beside 15.0 GB for the work"
    )


def test_what_is_asked_for_is_taken() -> None:
    assert plan(1, CacheSpec(residency="stream"), CPU).kind == "stream"


def test_a_tiny_cache_fits_this_machine() -> None:
    assert plan(1, CacheSpec(), CPU).kind == "ram"
    assert free_memory_bytes() > 0


@pytest.mark.parametrize("limit", ["max", "1000"])
def test_the_limit_of_a_control_group_counts(tmp_path: Path, limit: str) -> None:
    group = tmp_path / "job"
    group.mkdir()
    (group / "memory.max").write_text(f"{limit}\n")
    (group / "memory.current").write_text("700\n")
    (group / "memory.stat").write_text("anon 500\ninactive_file 200\n")
    lines = ["0::/job"]
    assert residency.free_in_groups(lines, tmp_path) == ([] if limit == "max" else [500])
