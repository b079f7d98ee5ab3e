"""How results are shown and saved: a table, the machine, and JSON on request."""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

import tomodrgn

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, str | float | int]


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(prog=f"python -m benchmarks {name}", description=description)
    made.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    return made


def report(name: str, rows: Sequence[Row], json_path: Path | None = None) -> None:
    """Print results with the machine, and write them as JSON where asked.

    Args:
        name: the benchmark.
        rows: one result each, with the same columns; units belong in the column names.
        json_path: file to write.
    """
    described = machine()
    print(f"{name} on {', '.join(f'{key} {value}' for key, value in described.items())}")
    columns = list(rows[0])
    cells = [columns, *[[_shown(row[column]) for column in columns] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    if json_path is not None:
        content = {"benchmark": name, "machine": described, "rows": list(rows)}
        json_path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def append_line(name: str, rows: Sequence[Row], path: Path) -> None:
    """Add results, with machine and time, as one line of JSON to a file."""
    content = {
        "benchmark": name,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "rows": list(rows),
    }
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(content) + "\n")


def machine() -> Row:
    """What the numbers depend on."""
    described: Row = {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "tomodrgn": tomodrgn.__version__,
    }
    if torch.cuda.is_available():
        described["gpu"] = torch.cuda.get_device_name()
    return described


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def _shown(value: str | float) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
