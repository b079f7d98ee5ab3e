from __future__ import annotations

import subprocess
from pathlib import Path

import click
import pytest

from tomodrgn.core.cli.main import cli
from tomodrgn.core.errors import RunError
from tomodrgn.core.specs.training import DevicesSpec
from tomodrgn.core.training.launching import Launch, plan_launch, require_one_process

TORCHRUN = {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
SRUN = {"SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2"}
SCRIPTS = Path(__file__).parents[3] / "examples" / "slurm"


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*TORCHRUN, *SRUN, "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)


def set_environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_the_program_starts_what_the_user_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plan_launch(DevicesSpec(), 0) == ("cpu", Launch(1, 1))
    assert plan_launch(DevicesSpec(), 2) == ("gpu", Launch(1, 1))
    monkeypatch.setenv("NODE_RANK", "0")  # started by hand
    assert plan_launch(DevicesSpec(multigpu=True, nodes=3), 2) == ("gpu", Launch(2, 3))
    assert plan_launch(DevicesSpec(devices=3, accelerator="cpu"), 2) == ("cpu", Launch(3, 1))


def test_other_nodes_are_not_waited_for_where_nobody_starts_them() -> None:
    with pytest.raises(RunError, match="neither torchrun nor srun has started this process"):
        plan_launch(DevicesSpec(nodes=5), 0)


def test_no_more_processes_are_started_than_a_node_can_run() -> None:
    with pytest.raises(RunError, match="1000000 processes on CPUs are asked for, this node has"):
        plan_launch(DevicesSpec(devices=1_000_000, accelerator="cpu"), 0)


@pytest.mark.parametrize(("variables", "name"), [(TORCHRUN, "torchrun"), (SRUN, "srun")])
def test_what_was_started_already_is_joined(
    variables: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, variables)
    joined = ("gpu", Launch(4, 2, name))
    assert plan_launch(DevicesSpec(), 4) == joined
    assert plan_launch(DevicesSpec(devices=4, nodes=2), 4) == joined
    assert plan_launch(DevicesSpec(multigpu=True, nodes=2), 4) == joined
    with pytest.raises(RunError, match=f"{name} has started 4 processes on each of 2 nodes"):
        plan_launch(DevicesSpec(devices=3), 4)
    with pytest.raises(RunError, match="4 GPUs are asked for, torch sees 1"):
        plan_launch(DevicesSpec(), 1)


def test_work_for_one_process_refuses_several(monkeypatch: pytest.MonkeyPatch) -> None:
    require_one_process()
    set_environment(monkeypatch, SRUN)
    with pytest.raises(RunError, match="srun has started 8; call it without srun"):
        require_one_process()


def test_a_batch_script_outside_srun_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, {"SLURM_NTASKS": "8", "SLURM_PROCID": "0"})
    assert plan_launch(DevicesSpec(), 0) == ("cpu", Launch(1, 1))


def test_many_processes_are_asked_for_in_vain_without_gpus() -> None:
    with pytest.raises(RunError, match="torch sees none"):
        plan_launch(DevicesSpec(accelerator="gpu", devices=2), 0)


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.sh")), ids=lambda path: path.name)
def test_scripts_for_slurm_call_what_there_is(script: Path, tmp_path: Path) -> None:
    for name in ("srun", "scontrol"):  # which say how they are called
        program = tmp_path / name
        program.write_text('#!/bin/sh\necho "$@"\n')
        program.chmod(0o755)
    variables = dict.fromkeys(("SLURM_NNODES", "SLURM_JOB_NODELIST", "SLURM_JOB_ID"), "1")
    said = subprocess.run(
        [script],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=variables | {"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    words = said.stdout.split()
    words = words[words.index("tomodrgn") + 1 :]
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
