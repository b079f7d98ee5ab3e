"""A plan of memory prints, writes and draws itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tomodrgn.core.cache.residency import Residency
from tomodrgn.core.memory.footprint import Footprint, MemoryPlan, ProcessMemory, Term
from tomodrgn.plugins.commands.plan.command import RunPlan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("rendered")
@pytest.mark.parametrize("free_device_bytes", [None, 8_000_000_000])
def test_a_plan_prints_writes_and_draws_itself(
    tmp_path: Path, free_device_bytes: int | None
) -> None:
    memory = MemoryPlan(
        process=ProcessMemory(held_bytes=10**9, peak_bytes=10**9),
        footprint=Footprint(
            host=(Term("images", 3 * 10**9),), device=(Term("network", 2 * 10**9),)
        ),
        free_host_bytes=16 * 10**9,
        free_device_bytes=free_device_bytes,
    )
    plan = RunPlan(memory, Residency("ram", "images lie in memory"), 3 * 10**9)
    assert str(plan) == plan.page()
    assert "images lie in memory" in plan._repr_markdown_()
    page, values = plan.write(tmp_path)
    assert page.read_text().startswith("```text\n")
    assert json.loads(values.read_text())["host_peak_bytes"] == 4 * 10**9
    plan.draw(tmp_path / "plan.png")
    assert (tmp_path / "plan.png").stat().st_size > 1000
