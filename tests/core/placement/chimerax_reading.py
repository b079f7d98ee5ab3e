"""What ChimeraX makes of the scripts, read without it."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scene:
    """Maps and where they are drawn: model i + 1 was opened from ``maps[i]``."""

    maps: list[Path]
    model: NDArray[np.int64]
    transforms: NDArray[np.float64]
    rgb: NDArray[np.int64]
    particle: NDArray[np.int64] | None
    level: float


def read_markers(script: Path) -> tuple[NDArray[np.float64], list[str]]:
    """Positions (n, 3) and colours of the markers of a script."""
    pattern = r"^marker #1 position (\S+),(\S+),(\S+) radius \S+ color (\S+)$"
    found = re.findall(pattern, script.read_text(), re.MULTILINE)
    return np.array([row[:3] for row in found], dtype=float), [row[3] for row in found]


def read_scene(script: Path) -> Scene:
    """Maps and placements of a script, be they commands or in a table beside it."""
    text = script.read_text()
    opened = re.findall(r'^open "(.*)"$', text, re.MULTILINE)
    assert not any(Path(name).is_absolute() for name in opened)
    paths = [script.parent / name for name in opened]
    (level,) = re.findall(r"^volume .* level (\S+)", text, re.MULTILINE)
    if paths[-1].suffix == ".py":
        return _read_table(paths[:-1], paths[-1], float(level))
    views = re.findall(r"^view matrix mod #(\d+),(.*)$", text, re.MULTILINE)
    colours = re.findall(r"^color #\d+ #(.*)$", text, re.MULTILINE)
    return Scene(
        maps=paths,
        model=np.array([int(number) for number, _ in views]),
        transforms=np.array([row.split(",") for _, row in views], dtype=float).reshape(-1, 3, 4),
        rgb=np.array([list(bytes.fromhex(colour)) for colour in colours]),
        particle=None,
        level=float(level),
    )


def _read_table(maps: list[Path], script: Path, level: float) -> Scene:
    (name,) = re.findall(r"^TABLE = ['\"](.*)['\"]$", script.read_text(), re.MULTILINE)
    with (script.parent / name).open(newline="") as file:
        header, *rows = csv.reader(file)
    values = np.array(rows, dtype=float)
    assert len(header) == values.shape[1]
    return Scene(
        maps=maps,
        model=values[:, 0].astype(int),
        transforms=values[:, 2:14].reshape(-1, 3, 4),
        rgb=values[:, 14:17].astype(int),
        particle=values[:, 1].astype(int),
        level=level,
    )
