"""Paths that lead nowhere, or to something else than a command needs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

Spoil = Callable[[Path, Path], Path]
"""Takes the right path and an empty folder; gives another path."""


def missing(_right: Path, folder: Path) -> Path:
    return folder / "nowhere"


def name_too_long(_right: Path, folder: Path) -> Path:
    return folder / ("x" * 300)


def path_too_long(_right: Path, folder: Path) -> Path:
    return folder.joinpath(*["x" * 200] * 30)


def link_loop(right: Path, folder: Path) -> Path:
    (folder / "a").symlink_to(folder / f"b{right.suffix}")
    (folder / f"b{right.suffix}").symlink_to(folder / "a")
    return folder / f"b{right.suffix}"


def dangling_link(right: Path, folder: Path) -> Path:
    (folder / f"l{right.suffix}").symlink_to(folder / "gone")
    return folder / f"l{right.suffix}"


def empty_folder(right: Path, folder: Path) -> Path:
    (folder / f"d{right.suffix}").mkdir()
    return folder / f"d{right.suffix}"


def below_a_file(_right: Path, folder: Path) -> Path:
    (folder / "file").write_text("x")
    return folder / "file/below"


def empty_file(right: Path, folder: Path) -> Path:
    (folder / f"e{right.suffix}").touch()
    return folder / f"e{right.suffix}"


def noise(right: Path, folder: Path) -> Path:
    path = folder / f"n{right.suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(3000))
    return path


def zeros(right: Path, folder: Path) -> Path:
    path = folder / f"z{right.suffix}"
    path.write_bytes(bytes(3000))
    return path


def cut_in_half(right: Path, folder: Path) -> Path:
    path = folder / f"c{right.suffix}"
    if right.is_dir():
        shutil.copytree(right, path)
        for file in filter(Path.is_file, list(path.rglob("*"))):
            os.truncate(file, file.stat().st_size // 2)
    else:
        path.write_bytes(right.read_bytes()[: right.stat().st_size // 2])
    return path


def endless(_right: Path, _folder: Path) -> Path:
    return Path("/dev/zero")


def pipe(right: Path, folder: Path) -> Path:
    os.mkfifo(folder / f"p{right.suffix}")
    return folder / f"p{right.suffix}"


def bytes_that_are_no_text(right: Path, folder: Path) -> Path:
    home = folder / os.fsdecode(b"caf\xe9 \xff")
    return _copy(right, home)


def line_break_in_name(right: Path, folder: Path) -> Path:
    return _copy(right, folder / 'two\nlines "; $(x) \x1b[31m')


def _copy(right: Path, home: Path) -> Path:
    if right.suffix == ".star":  # with its stacks
        shutil.copytree(right.parent, home)
    elif right.is_dir():
        shutil.copytree(right, home / right.name)
    else:
        home.mkdir()
        shutil.copy(right, home)
    return home / right.name


SPOILS: tuple[Spoil, ...] = (
    missing, name_too_long, path_too_long, link_loop, dangling_link, empty_folder, below_a_file,
    empty_file, noise, zeros, cut_in_half, endless, pipe, bytes_that_are_no_text,
    line_break_in_name,
)  # fmt: skip
OUT_SPOILS: tuple[Spoil, ...] = (
    name_too_long, path_too_long, link_loop, dangling_link, below_a_file, endless, pipe, empty_file,
)  # fmt: skip
