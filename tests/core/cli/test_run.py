"""Pipeline files: everything is checked before the first step starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from .conftest import RecordingPipeline

GOOD = """
steps:
- simulate: {outdir: demo/simulation, n_particles: 20}
- train_vae:
    particles: demo/simulation/particles.star
    outdir: demo/run
    latent: {dim: 4}
    loss_weightings: [{kind: dose}]
- eval_vol: {weights: demo/run/weights.pkl, out: demo/run/volumes, z: [0, 0, 0, 0]}
- score: {run: demo/run, truth: demo/simulation}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write(folder: Path, content: str) -> Path:
    path = folder / "pipeline.yaml"
    path.write_text(content)
    return path


@pytest.mark.usefixtures("particles")
def test_steps_run_in_order(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, folder: Path
) -> None:
    simulated = folder / "demo" / "simulation" / "particles.star"
    simulated.parent.mkdir(parents=True)
    simulated.write_text("")  # what the recorded simulation would have written
    result = invoke("run", _write(folder, GOOD))
    assert result.exit_code == 0, result.output
    names = [name for name, _ in pipeline.calls]
    assert names == ["simulate", "train", "evaluate_volumes", "score"]
    assert "step 1 of 4: simulate\n  particles.star\n" in result.output


def test_files_of_earlier_steps_need_not_be_there_yet(
    invoke: Callable[..., Result], pipeline: RecordingPipeline, folder: Path
) -> None:
    result = invoke("run", "--check", _write(folder, GOOD))
    assert (result.exit_code, pipeline.calls) == (0, [])
    assert "4 steps can run" in result.output


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dim: 4", "dim: 0", "step 2 (train_vae): latent.dim: input should be greater than 0"),
        ("kind: dose", "kind: dos", "step 2 (train_vae): loss_weightings.0: no installed plugin"),
        ("outdir: demo/run", "seed: 1", "step 2 (train_vae): outdir: is missing"),
        (
            "latent: {dim: 4}",
            "latent: {dim: 4}\n    devices: {devices: 2}",
            "step 2 (train_vae): devices: a pipeline works in one process",
        ),
        (
            "particles: demo/simulation",
            "particles: other",
            "step 2 (train_vae): reader.path: other/particles.star does not exist",
        ),
        (
            "weights: demo/run",
            "weights: demo/runs",
            "step 3 (eval_vol): weights: demo/runs/weights.pkl does not exist, and no earlier",
        ),
        ("z: [0, 0, 0, 0]", "n: few", "step 3 (eval_vol): n: input should be a valid integer"),
        ("truth: demo", "truht: demo", "step 4 (score): there is no field 'truht'. Did you mean"),
    ],
)
def test_fault_in_any_step_is_found_before_the_first_starts(
    invoke: Callable[..., Result],
    pipeline: RecordingPipeline,
    folder: Path,
    old: str,
    new: str,
    message: str,
) -> None:
    result = invoke("run", _write(folder, GOOD.replace(old, new)))
    assert result.exit_code == 1
    assert message in result.output
    assert pipeline.calls == []


def test_faults_of_all_steps_are_shown(invoke: Callable[..., Result], folder: Path) -> None:
    content = GOOD.replace("dim: 4", "dim: 0").replace("n_particles: 20", "n_particles: 0")
    result = invoke("run", _write(folder, content))
    assert "step 1 (simulate)" in result.output
    assert "step 2 (train_vae)" in result.output


def test_step_that_comes_too_early_is_refused(invoke: Callable[..., Result], folder: Path) -> None:
    content = "steps:\n- score: {run: a, truth: b}\n- simulate: {outdir: b}\n"
    result = invoke("run", _write(folder, content))
    assert "step 1 (score): truth: b does not exist, and no earlier step makes it" in result.output
