"""Picture of the memory that a run would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tomodrgn.core.figures.style import QUIET, color_of, picture

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.memory.footprint import MemoryPlan

_GB: Final = 1e9


def draw_memory(path: Path, memory: MemoryPlan) -> None:
    """Draw the terms of the peak one after another in a bar, and what is free as a line.

    Args:
        path: the picture.
        memory: of the machine, and of the GPU where there is one.
    """
    held = ("program and tables", memory.process.held_bytes)
    bars = {"memory": ([held, *memory.footprint.host], memory.free_host_bytes + held[1])}
    if memory.free_device_bytes is not None:
        bars["GPU"] = (list(memory.footprint.device), memory.free_device_bytes)
    with picture(path, width_in=6.4, height_in=0.9 + 0.9 * len(bars)) as figure:
        axes = figure.subplots()
        place = 0
        for row, (terms, free_bytes) in enumerate(bars.values()):
            left = 0.0
            for name, n_bytes in terms:
                axes.barh(
                    row, n_bytes / _GB, left=left, height=0.5, color=color_of(place), label=name
                )
                left, place = left + n_bytes / _GB, place + 1
            axes.plot([free_bytes / _GB] * 2, [row - 0.35, row + 0.35], color=QUIET)
        axes.set_yticks(range(len(bars)), list(bars))
        axes.set_xlabel("held at the peak (GB); lines: what is free")
        axes.invert_yaxis()
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
