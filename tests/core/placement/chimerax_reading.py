"""What ChimeraX makes of the scripts, read without it."""

from __future__ import annotations

import csv
import os
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
    """Positions (n, 3) and colors of the markers of a script."""
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
    colors = re.findall(r"^color #\d+ #(.*)$", text, re.MULTILINE)
    return Scene(
        maps=paths,
        model=np.array([int(number) for number, _ in views]),
        transforms=np.array([row.split(",") for _, row in views], dtype=float).reshape(-1, 3, 4),
        rgb=np.array([list(bytes.fromhex(color)) for color in colors]),
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


@dataclass(frozen=True)
class Commands:
    """What ChimeraX runs: the files that it opens, and the words of all other commands."""

    opened: list[str]
    others: list[list[str]]


def read_commands(script: bytes) -> Commands:
    """Commands of a script as ChimeraX takes them apart.

    A file name is put into the command again, in quotes only where it has white space, and the
    command is taken apart a second time; then variables and the home folder are filled in.

    Source:
        ChimeraX, ``chimerax.core.scripting``, ``chimerax.core.commands.cli`` and
        ``chimerax.open_command``.
    """
    opened, others = list[str](), list[list[str]]()
    for line in script.split(b"\n"):
        for words in _commands_of(line.strip().decode("utf-8", "replace")):
            if words[0] != "open":
                others.append(words)
                continue
            name = " ".join(f'"{word}"' if re.search(r"\s", word) else word for word in words[1:])
            again, *more = _commands_of(f"open {name}")
            filled = (os.path.expandvars(word) for word in again[1:])
            opened += map(os.path.expanduser, filled)
            others += more
    return Commands(opened, others)


def _commands_of(line: str) -> list[list[str]]:
    """Words of the commands of a line, between semicolons outside quotes."""
    commands: list[list[str]] = [[]]
    while line := line.lstrip():
        if line[0] == ";":
            commands.append([])
            line = line[1:]
            continue
        if line[0] in "\"'":
            end = re.compile(rf"{line[0]}(?=\s|$)").search(line, 1)
            assert end is not None, "incomplete quoted text"
            word, line = line[1 : end.start()], line[end.end() :]
        else:
            word = re.match(r"[^;\s]*", line)[0]  # type: ignore[index]
            line = line[len(word) :]
        commands[-1].append(word)
    return [words for words in commands if words]
