"""The table of accuracy: what its rows are of, and that figures of poses obey their laws."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from benchmarks import truth
from benchmarks.truth_cases import Case, chosen, suites
from benchmarks.truth_outliers import judged
from benchmarks.truth_poses import Refined, pose_figures, read_refined
from benchmarks.truth_scores import bound
from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.data.inputs import Inputs
from tomodrgn.core.particles.corrections import Corrections
from tomodrgn.core.particles.corrections_file import error_columns, write_corrections
from tomodrgn.core.particles.identity import match_particles
from tomodrgn.core.simulation.forward import Simulation, design
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.tomograms import names_of
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.truth_scores import Figures

SMALL = {"n_particles": 10, "n_tomograms": 2, "n_tilts": 5, "box_size_px": 16, "pixel_size_a": 12.0}


def _simulated(**options: object) -> Simulation:
    spec = SimulationSpec(**{"outdir": "set", **SMALL, **options})
    return design(spec, build_structure(spec))


def _undoing(simulation: Simulation) -> Corrections:
    """What takes the stated poses to the true ones."""
    experiment = simulation.experiment
    turn = experiment.orientation.swapaxes(1, 2) @ experiment.stated.orientation
    moved_a = experiment.origin_a - experiment.stated.origin_a
    n_particles, n_images = len(turn), len(experiment.images)
    return Corrections(
        rotation=turn,
        shift_px=np.einsum("bji,bj->bi", experiment.orientation, moved_a)
        / simulation.structure.pixel_size_a,
        log_scale=np.zeros(n_particles),
        tilt_shift_px=np.zeros((n_images, 2)),
        tilt_log_scale=np.zeros(n_images),
    )


def test_true_poses_have_no_error() -> None:
    found = pose_figures(_simulated())
    assert found["orientation_rms_deg"] == pytest.approx(0, abs=1e-5)  # of an arc cosine
    assert found["shift_rms_px"] == pytest.approx(0, abs=1e-12)
    assert found["image_rms_px"] == pytest.approx(0, abs=1e-12)


def test_errors_are_those_that_the_recipe_makes() -> None:
    simulation = _simulated(n_particles=3000, n_tilts=1, pose_error_deg=4.0, shift_error_px=0.7)
    found = pose_figures(simulation)
    assert found["orientation_rms_deg"] == pytest.approx(4 * np.sqrt(3), rel=0.03)  # of three axes
    assert found["shift_rms_px"] == pytest.approx(0.7, rel=0.03)
    assert found["image_rms_px"] == pytest.approx(0.7, rel=0.03)


@pytest.mark.parametrize("whole", [False, True])
def test_corrections_that_undo_the_errors_leave_none(whole: bool) -> None:
    """Nor do they if the map is turned and moved as a whole."""
    simulation = _simulated(pose_error_deg=4.0, shift_error_px=0.7)
    corrections = _undoing(simulation)
    if whole:
        turn = Rotation.from_rotvec([0.3, -0.2, 0.5]).as_matrix()
        corrections = replace(
            corrections,
            rotation=turn @ corrections.rotation,
            shift_px=(corrections.shift_px + np.array([1.0, 2.0, -1.0])) @ turn.T,
        )
    found = pose_figures(simulation, Refined(corrections))
    assert found["orientation_rms_deg"] == pytest.approx(0, abs=1e-5)
    assert found["shift_rms_px"] == pytest.approx(0, abs=1e-9)
    assert found["image_rms_px"] == pytest.approx(0, abs=1e-9)


def test_displaced_exposures_count_until_they_are_found() -> None:
    simulation = _simulated(tilt_shift_px=0.5, n_tomograms=10)
    experiment = simulation.experiment
    assert pose_figures(simulation)["image_rms_px"] == pytest.approx(0.5, rel=0.2)  # 50 exposures
    found = experiment.images.shift_px - experiment.stated.shift_px
    right = replace(_undoing(simulation), tilt_shift_px=found)
    figures = pose_figures(simulation, Refined(right))
    assert figures["image_rms_px"] == pytest.approx(0, abs=1e-12)


def test_a_move_of_a_tomogram_counts_once_whether_particles_or_exposures_make_it() -> None:
    simulation = _simulated(n_tomograms=1, pose_error_deg=4.0, shift_error_px=0.7)
    experiment, right = simulation.experiment, _undoing(simulation)
    move_px = np.array([0.5, -1.0, 0.8])  # of the tomogram
    frames = experiment.acquisition.rotation[experiment.tilt]
    moved = right.shift_px + np.einsum("bji,j->bi", experiment.orientation, move_px)
    same = replace(right, shift_px=moved, tilt_shift_px=-(frames @ move_px)[:, :2])
    found = pose_figures(simulation, Refined(same))
    assert found["shift_rms_px"] == pytest.approx(0, abs=1e-9)
    assert found["image_rms_px"] == pytest.approx(0, abs=1e-9)


def test_junk_is_told_by_its_contrast() -> None:
    simulation = _simulated(junk_fraction=0.3)
    is_junk = simulation.experiment.labels == -1
    for contrast, chance in ((-1.0, 1.0), (0.0, 0.5)):
        found = replace(_undoing(simulation), log_scale=contrast * is_junk)
        assert pose_figures(simulation, Refined(found))["junk_by_contrast"] == chance


def test_probabilities_of_junk_are_compared_with_what_came_true() -> None:
    probability = np.array([0.0, 0.0, 0.3, 0.95, 1.0])
    amplitude = np.array([1.0, 0.4, 0.5, 0.1, 0.0])
    found = judged(probability, amplitude, np.array([False, True, False, True, True]))
    assert found["false_junk"] == 0
    assert found["found_junk"] == pytest.approx(2 / 3)
    assert found["junk_by_probability"] == pytest.approx(5 / 6)  # one of six pairs is upside down
    assert found["came_true"]["0.9 to 1"] == [2, 2]
    assert found["came_true"]["0 to 0.1"] == [2, 1]


def test_contrast_that_is_found_is_compared_as_a_factor() -> None:
    simulation = _simulated(contrast_particle_log_std=0.4, contrast_tilt_log_std=0.3)
    logs = np.log(simulation.experiment.contrast)
    right = replace(_undoing(simulation), tilt_log_scale=logs + 0.7)  # and scaled as a whole
    assert pose_figures(simulation)["contrast_rms"] > 0.1
    assert pose_figures(simulation, Refined(right))["contrast_rms"] == pytest.approx(0, abs=1e-9)


def test_regions_hold_what_they_should_where_errors_are_as_wide_as_they_say() -> None:
    simulation = _simulated(
        n_particles=3000, n_tilts=1, pose_error_deg=1.0, shift_error_px=0.5,
        contrast_particle_log_std=0.2,
    )  # fmt: skip
    nothing = replace(_undoing(simulation), rotation=np.tile(np.eye(3), (3000, 1, 1)))
    nothing = replace(nothing, shift_px=np.zeros((3000, 3)))
    deviations = np.array([0.2, *[0.5] * 3, *[np.deg2rad(1)] * 3])
    for factor, share in ((1.0, 0.9), (2.0, 0.999)):  # within 1.64 and 3.29 deviations
        found = pose_figures(simulation, Refined(nothing, np.tile(factor * deviations, (3000, 1))))
        for part in ("contrast", "shift", "turn"):
            assert found[f"{part}_in_90"] == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("name", ["warp", "relion5"])
def test_poses_are_read_as_a_run_left_them(name: str, tmp_path: Path) -> None:
    simulation = _simulated(outdir=tmp_path / "set", format=name, pose_error_deg=4.0)
    star = simulate(simulation.spec)
    assert read_refined(tmp_path, star, simulation) is None
    particles = Inputs(builtin_registry()).particles_file(star).reader(needs_images=False).read()
    rows = match_particles(names_of(simulation.spec), particles)
    owner = np.repeat(np.arange(len(rows)), simulation.experiment.counts)
    images = np.concatenate([np.flatnonzero(owner == row) for row in rows])
    corrections = _undoing(simulation).take(rows, images)
    columns = error_columns(np.tile(np.eye(7), (len(rows), 1, 1)), 12.0)
    write_corrections(tmp_path, particles, corrections, of_particles=columns)
    found = read_refined(tmp_path, star, simulation)
    assert found is not None
    assert found.deviations is not None
    np.testing.assert_allclose(found.deviations, 1)
    assert pose_figures(simulation, found)["orientation_rms_deg"] == pytest.approx(0, abs=1e-5)


def test_the_bound_is_that_of_classes_and_leaves_junk_out() -> None:
    assert bound(_simulated(snr=2.0, junk_fraction=0.3, species_fraction=0.3)) == 1


def test_every_recipe_is_a_case_and_names_are_unique() -> None:
    names = [case.name for cases in suites().values() for case in cases]
    assert len(names) == len(set(names))
    assert {"pose_errors", "poses/10deg", "false_claims/junk/40"} <= set(names)


@pytest.mark.parametrize("case", [c for cases in suites().values() for c in cases], ids=str)
def test_every_case_is_a_simulation(case: Case, tmp_path: Path) -> None:
    assert truth.Task(case, 3, {}, "").spec(tmp_path).seed == 3


def test_cases_are_chosen_once_by_suite_and_pattern() -> None:
    names = [case.name for case in chosen(["motions"], ["motions/*", "poses/?deg"])]
    assert names == ["motions/hinge", "motions/hinge_twist", *(f"poses/{n}deg" for n in (2, 4, 6))]
    with pytest.raises(SystemExit, match="no case is called poses/3deg"):
        chosen([], ["poses/3deg"])


def _figures(rand: float, *, differ: bool = True) -> Figures:
    return {
        "scores": {"adjusted Rand index": rand},
        "stated": {"orientation_rms_deg": 1.0, "image_rms_px": 0.0},
        "run": {"is_heterogeneous": differ},
        "seconds": 1.0,
        "processor_s": 2.0,
    }


def test_a_row_has_the_median_and_the_worst_and_counts_claims() -> None:
    explained = _figures(1.0)
    explained["run"]["verdict"] = {"share": {"errors": 0.9}}
    same = _figures(0.2, differ=False)
    same["run"]["verdict"] = {"share": {"errors": 0.8}}
    results = [_figures(0.9), same, explained, {"failed": "why"}]
    row = truth.row_of(Case("a", "none"), results)
    assert row["Rand"] == "0.9 (0.2)"
    assert row["differ"] == "2/3"
    assert row["unexplained"] == "1/3"
    assert row["of errors"] == "0.85 (0.8)"
    assert (row["sets"], row["failed"], row["junk AUC"]) == (4, 1, "-")


def test_a_table_goes_on_where_it_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[tuple[str, int]] = []

    def run(task: truth.Task) -> Figures:
        done.append((task.case.name, task.seed))
        return {**task.key, **_figures(0.5)}

    monkeypatch.setattr(truth, "run_task", run)
    words = ["--recipes", "none", "junk", "--resume", str(tmp_path / "results.jsonl")]
    truth.main([*words, "--seeds", "0", "1"])
    truth.main([*words, "--seeds", "0", "1", "2"])
    assert done == [(n, s) for n in ("none", "junk") for s in (0, 1)] + [("none", 2), ("junk", 2)]
    assert "0.5 (0.5)" in capsys.readouterr().out
    truth.main([*words, "--seeds", "0", "--set", "snr=0.3"])
    assert len(done) == 8
