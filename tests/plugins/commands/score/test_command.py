from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.data.inputs import Inputs
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.files.pickles import write_latents, write_pickle
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.truth import read_truth
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.score.command import score
from tomodrgn.plugins.commands.score.spec import ScoreSpec


@pytest.fixture
def registry() -> Registry:
    return builtin_registry()


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return _simulated(tmp_path / "truth")


def _simulated(outdir: Path, **changes: object) -> Path:
    small = {"n_particles": 8, "n_classes": 2, "box_size_px": 8, "n_tilts": 3, "n_tomograms": 2}
    return simulate(SimulationSpec(outdir=outdir, **{**small, **changes})).parent


@pytest.mark.parametrize("is_decoded", [False, True])
def test_a_score_leaves_its_picture_and_logs_its_table(
    is_decoded: bool,
    truth: Path,
    tmp_path: Path,
    registry: Registry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="tomodrgn")
    known = read_truth(truth)
    latents = np.eye(2, dtype=np.float32)[known.labels]
    write_latents(tmp_path / "run/z.pkl", latents, latents)
    for i, volume in enumerate(known.maps if is_decoded else ()):
        write_volume(tmp_path / f"run/volumes/vol_{i:03d}.mrc", volume, 8.0)
    spec = ScoreSpec(run=tmp_path / "run", truth=truth, out=tmp_path / "out")
    scores = score(Inputs(registry), spec)
    assert scores["class accuracy"] == 1
    assert len(scores) == 4 + 2 * is_decoded
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "class_latents.txt",
        "recovery.png",
        "scores.json",
    }
    assert json.loads((tmp_path / "out/scores.json").read_text()) == scores
    assert all(name in caplog.text for name in scores)
    assert all(name in str(scores) for name in scores)
    assert [path.name for path in scores.write(tmp_path / "kept")] == ["scores.md", "scores.json"]
    scores.draw(tmp_path / "recovered.png")
    assert (tmp_path / "recovered.png").exists()


def test_labels_and_class_maps_of_a_classification_are_scored(
    truth: Path, tmp_path: Path, registry: Registry
) -> None:
    known = read_truth(truth)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/labels.pkl").write_bytes((truth / "labels.pkl").read_bytes())
    for i, volume in enumerate(known.maps[::-1]):
        write_volume(tmp_path / f"run/class_{i:03d}.mrc", volume, 8.0)
        write_volume(tmp_path / f"run/class_{i:03d}_half_a.mrc", volume, 8.0)
    scores = score(Inputs(registry), ScoreSpec(run=tmp_path / "run", truth=truth))
    assert scores.pop("accuracy with known maps") < 1  # at so few pixels
    assert set(scores.values()) == {1.0}
    assert "mean FSC of class 0 with class_001.mrc" in scores
    assert len(scores) == 5


def test_a_single_reconstruction_is_scored_without_latents(
    tmp_path: Path, registry: Registry
) -> None:
    truth = _simulated(tmp_path / "truth", n_classes=1)
    write_volume(tmp_path / "run/reconstruct.mrc", read_truth(truth).maps[0], 12.0)
    scores = score(Inputs(registry), ScoreSpec(run=tmp_path / "run", truth=truth))
    assert scores == {"mean FSC of class 0 with reconstruct.mrc": 1.0}


def test_latents_of_another_number_of_particles_are_refused(
    truth: Path, tmp_path: Path, registry: Registry
) -> None:
    write_latents(tmp_path / "z.pkl", np.zeros((5, 2)), np.zeros((5, 2)))
    with pytest.raises(DataError, match="is about 5 particles, the run or the simulation"):
        score(Inputs(registry), ScoreSpec(run=tmp_path, truth=truth))
    assert not (tmp_path / "scores.json").exists()


def test_a_run_that_has_made_nothing_is_refused(
    truth: Path, tmp_path: Path, registry: Registry
) -> None:
    with pytest.raises(RunError, match=r"neither z\.pkl nor labels\.pkl nor volumes"):
        score(Inputs(registry), ScoreSpec(run=tmp_path, truth=truth))


def test_a_folder_that_simulate_did_not_write_is_refused(
    tmp_path: Path, registry: Registry
) -> None:
    with pytest.raises(DataError, match=r"truth\.yaml is missing"):
        score(Inputs(registry), ScoreSpec(run=tmp_path, truth=tmp_path))


def test_a_damaged_covariance_is_refused(truth: Path, tmp_path: Path, registry: Registry) -> None:
    write_latents(tmp_path / "z.pkl", np.zeros((8, 2)), np.zeros((8, 2)))
    spec = ScoreSpec(run=tmp_path, truth=truth)
    np.save(tmp_path / "z_covariance.npy", np.zeros((8, 2, 2)))
    with pytest.raises(DataError, match=r"positive definite matrices of shape \(8, 2, 2\)"):
        score(Inputs(registry), spec)
    np.save(tmp_path / "z_covariance.npy", np.full((8, 2, 2), np.nan))
    with pytest.raises(DataError, match=r"positive definite matrices of shape \(8, 2, 2\)"):
        score(Inputs(registry), spec)
    (tmp_path / "z_covariance.npy").write_bytes(b"no array")
    with pytest.raises(DataError, match=r"its header is no header of a \.npy file"):
        score(Inputs(registry), spec)


def test_latents_that_are_no_numbers_are_refused(
    truth: Path, tmp_path: Path, registry: Registry
) -> None:
    write_pickle(tmp_path / "z.pkl", np.full((8, 2), np.nan))
    with pytest.raises(DataError, match="numbers that are not finite"):
        score(Inputs(registry), ScoreSpec(run=tmp_path, truth=truth))


def test_too_few_particles_are_refused(tmp_path: Path, registry: Registry) -> None:
    truth = _simulated(tmp_path / "truth", n_particles=4)
    write_latents(tmp_path / "z.pkl", np.zeros((4, 2)), np.zeros((4, 2)))
    with pytest.raises(DataError, match="score at least 5"):
        score(Inputs(registry), ScoreSpec(run=tmp_path, truth=truth))
