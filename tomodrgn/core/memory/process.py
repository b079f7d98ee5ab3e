"""What this process has taken so far."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Final

from tomodrgn.core.memory.footprint import ProcessMemory

_KIB: Final = 1024


def process_memory() -> ProcessMemory:
    """Resident memory, now and at most."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        held, peak = (_line_bytes(lines, name) for name in ("VmRSS:", "VmHWM:"))
    except (OSError, StopIteration):
        held = peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
    return ProcessMemory(held_bytes=held, peak_bytes=peak)


def _line_bytes(lines: list[str], name: str) -> int:
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * _KIB
