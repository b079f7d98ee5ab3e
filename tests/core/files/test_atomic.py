"""Files appear whole or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tomodrgn.core.files.atomic import (
    atomic_path,
    write_bytes_atomic,
    write_text_atomic,
)
from tomodrgn.core.ownership.leftovers import PARTIAL_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from tomodrgn.core.files.atomic import atomic_path

with atomic_path(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_written_files_hold_their_content(tmp_path: Path) -> None:
    write_bytes_atomic(tmp_path / "new" / "a.bin", b"\x00\xff")
    write_text_atomic(tmp_path / "b.txt", "Å\n")
    assert (tmp_path / "new" / "a.bin").read_bytes() == b"\x00\xff"
    assert (tmp_path / "b.txt").read_text("utf-8") == "Å\n"


def test_an_error_leaves_the_old_file_and_no_partial_one(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError):
        _fail_half_way(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_target_is_untouched_until_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with atomic_path(target) as partial:
        partial.write_text("new")
        assert not target.exists()
        assert partial.parent == target.parent
        assert partial.name.endswith(PARTIAL_SUFFIX)
    assert target.read_text() == "new"


def test_two_writers_do_not_share_a_partial_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with atomic_path(target) as first, atomic_path(target) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first"


def test_a_killed_program_leaves_no_half_written_target(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    command = [sys.executable, "-c", KILLED_WHILE_WRITING, str(target)]
    killed = subprocess.run(command, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert target.read_text() == "old"


def _fail_half_way(target: Path) -> None:
    with atomic_path(target) as partial:
        partial.write_text("half")
        raise RuntimeError
