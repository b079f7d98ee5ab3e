from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.files.pickles import write_latents
from tomodrgn.core.simulation.forward import design
from tomodrgn.core.simulation.likelihood import most_likely_classes
from tomodrgn.core.simulation.scores import compare_run
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.truth import read_truth
from tomodrgn.core.specs.simulation import ScoreSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tomodrgn.core.specs.simulation import SimulationSpec

    Alter = Callable[..., SimulationSpec]


def _perfect_run(truth_folder: Path, run: Path) -> ScoreSpec:
    truth = read_truth(truth_folder)
    latents = np.column_stack([np.eye(3)[truth.labels] * 100, truth.motion])
    write_latents(run / "z.pkl", latents, np.zeros_like(latents))
    for i, volume in enumerate(truth.maps):
        write_volume(run / f"volumes/vol_{i:03d}.mrc", volume, 12.0)
    return ScoreSpec(run=run, truth=truth_folder)


def test_a_perfect_run_scores_one(altered: Alter, tmp_path: Path) -> None:
    truth = simulate(altered(n_particles=30, motion="hinge")).parent
    spec = _perfect_run(truth, tmp_path / "run")
    scores = compare_run(spec).scores
    assert scores.pop("motion rank correlation") > 0.98
    assert set(scores.values()) == {1.0}
    assert len(scores) == 6
    assert json.loads((spec.run / "scores.json").read_text())["class accuracy"] == 1
    centres = np.loadtxt(spec.run / "class_latents.txt")
    np.testing.assert_allclose(centres[:, :3], 100 * np.eye(3), atol=1e-4)


@pytest.mark.parametrize("name", ["nextpyp", "warptools", "relion5", "relion4"])
def test_every_format_is_scored_alike(altered: Alter, tmp_path: Path, name: str) -> None:
    truth = simulate(altered(format=name, snr=2.0)).parent
    scores = compare_run(_perfect_run(truth, tmp_path / "run")).scores
    assert len(scores) == 6
    assert set(scores.values()) == {1.0}


def test_a_single_reconstruction_is_scored_without_latents(altered: Alter, tmp_path: Path) -> None:
    truth = simulate(altered(n_classes=1)).parent
    write_volume(tmp_path / "run/reconstruct.mrc", read_truth(truth).maps[0], 12.0)
    scores = compare_run(ScoreSpec(run=tmp_path / "run", truth=truth)).scores
    assert scores == {"mean FSC of class 0 with reconstruct.mrc": 1.0}


def test_a_run_on_other_particles_is_refused(small_spec: SimulationSpec, tmp_path: Path) -> None:
    truth = simulate(small_spec).parent
    write_latents(tmp_path / "z.pkl", np.zeros((5, 2)), np.zeros((5, 2)))
    with pytest.raises(DataError, match="latents of 5 particles, 12 were simulated"):
        compare_run(ScoreSpec(run=tmp_path, truth=truth))


def test_a_run_that_has_made_nothing_is_refused(small_spec: SimulationSpec, tmp_path: Path) -> None:
    truth = simulate(small_spec).parent
    with pytest.raises(RunError, match=r"neither z\.pkl nor volumes"):
        compare_run(ScoreSpec(run=tmp_path, truth=truth))


def test_a_folder_that_simulate_did_not_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"truth\.yaml is missing"):
        compare_run(ScoreSpec(run=tmp_path, truth=tmp_path))


def test_the_best_classifier_errs_only_in_noise(altered: Alter) -> None:
    accuracies = []
    for snr in (2.0, 0.001):
        spec = altered(n_particles=40, snr=snr)
        simulation = design(spec, build_structure(spec))
        found = most_likely_classes(simulation, spec.n_particles)
        accuracies.append((found == simulation.experiment.labels).mean())
    assert accuracies[0] == 1
    assert accuracies[1] < 0.9
