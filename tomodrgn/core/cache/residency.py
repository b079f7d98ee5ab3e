"""Where coefficients are held while they are used, and why: a plan with its reason."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tomodrgn.core.specs.dataset import CacheSpec

ResidencyKind = Literal["device", "ram", "stream"]

_GB = 1e9
_CONTROL_GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Residency:
    """A place for coefficients, and one printable sentence that says why."""

    kind: ResidencyKind
    reason: str


def plan(
    cache_bytes: int,
    spec: CacheSpec,
    device: torch.device,
    *,
    processes: int = 1,
    host_work_bytes: int = 0,
    device_work_bytes: int = 0,
) -> Residency:
    """The fastest place that has room: the device, then memory, then the file itself.

    Args:
        cache_bytes: size of all coefficients as they are stored.
        spec: a residency that was asked for, or the part of free memory that may be taken.
        device: where the coefficients are used.
        processes: processes of this machine that hold a copy each.
        host_work_bytes: memory that each of them needs for its work.
        device_work_bytes: the same on the device.
    """
    size = f"{cache_bytes / _GB:.2f} GB"
    if spec.residency != "auto":
        return Residency(spec.residency, f"residency {spec.residency}: asked for ({size})")
    share = f"{spec.free_memory_fraction:.0%}"
    tried = []
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        free -= device_work_bytes
        of_total = f"{free / _GB:.1f} of {total / _GB:.1f} GB"
        tried.append(f"{of_total} free on {device}{_beside(device_work_bytes)}")
        if cache_bytes <= spec.free_memory_fraction * free:
            return Residency(
                "device", f"images held on the device: {size} fit {share} of {tried[0]}"
            )
    free = free_memory_bytes() - processes * host_work_bytes
    each = f" for {processes} processes" if processes > 1 else ""
    tried.append(f"{free / _GB:.1f} GB free memory{_beside(host_work_bytes)}{each}")
    if cache_bytes * processes <= spec.free_memory_fraction * free:
        refused = f", too large for {share} of {tried[0]}" if len(tried) > 1 else ""
        return Residency("ram", f"images held in RAM: {size} fit {share} of {tried[-1]}{refused}")
    places = " and of ".join(tried)
    return Residency(
        "stream", f"images read from disk: {size} are too large for {share} of {places}"
    )


def _beside(work_bytes: int) -> str:
    """Says what was taken from the free memory, where it matters."""
    return f" beside {work_bytes / _GB:.1f} GB for the work" if work_bytes > _GB / 10 else ""


def free_memory_bytes() -> int:
    """Memory that can still be taken, under the limits of the machine and of control groups."""
    return min([_free_on_machine(), *free_in_groups(_control_groups(), _CONTROL_GROUPS)])


def _free_on_machine() -> int:
    """Memory that the system can hand out without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(available.split()[1]) * 1024
    except (OSError, StopIteration):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _control_groups() -> list[str]:
    """Lines that name the control groups of this process."""
    try:
        return Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def free_in_groups(lines: Sequence[str], root: Path) -> list[int]:
    """What is left under the memory limits of control groups and of those above them.

    Args:
        lines: as in ``/proc/self/cgroup``, ``number:controllers:path``.
        root: where control groups are mounted.
    """
    left = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            base = root / controllers
            group = base / path.lstrip("/")
            groups = [group, *(above for above in group.parents if above.is_relative_to(base))]
            left += [free for free in map(_free_in_group, groups) if free is not None]
    return left


def _free_in_group(group: Path) -> int | None:
    """Limit less use of one control group (either version), file pages not counted as use."""
    for limit, usage, reclaimable in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most = int((group / limit).read_text(encoding="ascii"))
            used = int((group / usage).read_text(encoding="ascii"))
            stat = (group / "memory.stat").read_text(encoding="ascii").split()
        except (OSError, ValueError):  # no such file, or the limit is "max"
            continue
        cached = dict(zip(stat[::2], map(int, stat[1::2]), strict=True)).get(reclaimable, 0)
        return max(0, most - used + cached)
    return None
