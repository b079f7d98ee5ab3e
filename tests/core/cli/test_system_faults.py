"""What the system says against a command is one message with a way out, never a traceback."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tomodrgn.core.cli.main import LazyGroup
from tomodrgn.core.cli.system_faults import words_for
from tomodrgn.core.errors import DataError


def raised(error: BaseException) -> tuple[int, str]:
    """Exit code and message of a command that meets an error."""

    def meets() -> None:
        raise error

    group = LazyGroup("tomodrgn")
    group.get_command = lambda _ctx, _name: click.Command("meets", callback=meets)  # type: ignore[method-assign]
    result = CliRunner().invoke(group, ["meets"])
    assert isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 300), "give it a shorter name"),
        (OSError(errno.ELOOP, "Too many levels", "a"), "a: Too many levels; its links lead in a"),
        (OSError(errno.ENOSPC, "No space left on device", "a"), "make room, or name another place"),
        (OSError(errno.EIO, "Input/output error", "a"), "check whether the disk or the network"),
        (OSError(errno.EMFILE, "Too many open files", "a"), "ulimit -n"),
        (OSError("unable to open file (truncated)"), "unable to open file (truncated)"),
        (
            PermissionError(errno.EACCES, "Permission denied", "a"),
            "a: Permission denied; change who",
        ),
        (RuntimeError("Symlink loop from '/a/b'"), "its links lead in a circle"),
        (MemoryError(), "memory does not suffice; look with tomodrgn plan"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory does not suffice"),
        (RecursionError("maximum recursion depth"), "the input is nested too deeply"),
        (UnicodeEncodeError("utf-8", "caf\udce9", 3, 4, "surrogates"), r"caf\xe9: holds bytes"),
        (UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid"), "holds bytes that are no text"),
        (DataError("a\x1b[31m.star: is \u202ewrong"), r"a\x1b[31m.star: is \u202ewrong"),
        (DataError("caf\udce9.star: is wrong"), r"caf\xe9.star: is wrong"),
    ],
)
def test_faults_of_the_system_are_one_message(error: BaseException, said: str) -> None:
    code, message = raised(error)
    assert code == 1
    assert said in message
    assert message.count("Error: ") == 1


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), RuntimeError("x"), ValueError()])
def test_faults_of_the_program_keep_their_traceback(error: Exception) -> None:
    assert words_for(error) is None


def test_a_folder_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        Path.cwd()
    monkeypatch.undo()
    monkeypatch.setattr(os, "getcwd", _raising(caught.value))
    assert raised(caught.value)[1].startswith("Error: the folder in which this was called is gone")


def _raising(error: Exception) -> object:
    def call() -> str:
        raise error

    return call


def test_memory_of_torch_is_told_too() -> None:
    torch = pytest.importorskip("torch")
    assert "torch" in sys.modules
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert raised(caught.value)[1].startswith("Error: memory does not suffice")
