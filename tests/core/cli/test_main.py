"""The group: quick help, exit codes, and errors without tracebacks."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from tomodrgn import __version__
from tomodrgn.core.cli.main import cli, offered_commands
from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from .conftest import RecordingPipeline

COMMANDS = offered_commands()
HEAVY = ("torch", "pandas", "sklearn", "matplotlib", "umap", "h5py", "lightning_fabric")


def _modules_after(code: str) -> set[str]:
    listing = f"{code}; import sys; print(*sys.modules)"
    finished = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, check=True
    )
    return set(finished.stdout.split())


def test_help_imports_nothing_heavy() -> None:
    code = "from tomodrgn.core.cli.main import cli; cli(['--help'], standalone_mode=False)"
    assert _modules_after(code).isdisjoint((*HEAVY, "pydantic", "yaml", "json", "html"))


def test_help_of_commands_imports_nothing_heavy() -> None:
    calls = [f"cli(['{name}', '--help'], standalone_mode=False)" for name in COMMANDS]
    code = "; ".join(["from tomodrgn.core.cli.main import cli", *calls])
    assert _modules_after(code).isdisjoint(HEAVY)


def test_help_takes_less_than_half_a_second_of_a_processor() -> None:
    def seconds() -> float:
        before = os.times()
        subprocess.run(
            [sys.executable, "-m", "tomodrgn", "--help"], capture_output=True, check=True
        )
        after = os.times()
        return after.children_user + after.children_system - sum(before[2:4])

    assert min(seconds() for _ in range(3)) < 0.5


@pytest.mark.parametrize("name", COMMANDS)
def test_summary_is_the_first_line_of_the_help(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert (command.help or "").splitlines()[0] == COMMANDS[name].summary


def test_version_is_shown(invoke: Callable[..., Result]) -> None:
    assert invoke("--version").output.strip() == f"tomodrgn, version {__version__}"


@pytest.mark.parametrize(
    "words",
    [
        ("no_such_command",),
        ("train_vae", "--no-such-option"),
        ("train_vae", "particles.star"),
        ("train_vae", "-o", "out"),
        ("train_vae", "particles.star", "-o", "out", "--zdim", "many"),
        ("train_vae", "particles.star", "-o", "out", "--zdim", "0"),
        ("eval_vol", "-o", "out"),
        ("eval_vol", "weights.pkl"),
        ("plugins", "show", "no_such_family", "x"),
    ],
)
def test_wrong_usage_exits_with_2(invoke: Callable[..., Result], words: tuple[str, ...]) -> None:
    result = invoke(*words)
    assert result.exit_code == 2, result.output


def test_fault_of_a_user_is_one_message_and_exits_with_1(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, tmp_path: Path
) -> None:
    result = invoke("train_vae", tmp_path / "nowhere.star", "-o", tmp_path / "out", "--zdim", 8)
    assert result.exit_code == 1
    assert result.output == f"Error: {tmp_path}/nowhere.star: there is no such file\n"
    assert pipeline.calls == []


def test_debug_keeps_the_error(invoke: Callable[..., Result], tmp_path: Path) -> None:
    words = ("train_vae", tmp_path / "nowhere.star", "-o", tmp_path / "out", "--zdim", 8)
    assert isinstance(invoke("--debug", *words).exception, DataError)
