"""The epochs of a run with latents, from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.integration.conftest import SMALL_NETWORK, Command
from tests.shortcuts import rendering
from tomodrgn.core.files.mrc import read_volume, write_volume
from tomodrgn.core.files.pickles import load_pickles

PICTURES = {
    "00_total_loss", "01_encoder_pcs", "03_encoder_latent_vector_shifts",
    "04_decoder_UMAP-sketching", "05_decoder_maxima-sketch-consistency", "06_decoder_CC",
    "07_decoder_FSC", "08_decoder_FSC-nyquist", "11_held_out_tilts", "12_latent_activity",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(star: Path, tomodrgn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Epochs 0, 2, 4 and 5, the last of them without numbered files."""
    outdir = tmp_path_factory.mktemp("vae") / "run"
    tomodrgn(
        "train_vae", star, "-o", outdir, *SMALL_NETWORK, "-n", 6, "--checkpoint", 2,
        "--fraction-train", 0.7, "--pooling-function", "mean",
    )  # fmt: skip
    return outdir


@pytest.fixture(scope="module")
def folder(run: Path, star: Path, tomodrgn: Command) -> Path:
    call = ["convergence_vae", run, "--epoch-interval", 4, "--skip-umap", "--final-maxima", 3]
    with rendering():
        done = tomodrgn(*call, "--ground-truth", star.parent / "maps" / "class_*.mrc")
    assert done.stdout.strip() == str(run / "convergence.5")
    assert "recommended: epoch" in done.stderr
    return run / "convergence.5"


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_checkpoint_and_the_end_are_measured_once(run: Path) -> None:
    held_out, activity = lines(run / "held_out.jsonl"), lines(run / "activity.jsonl")
    assert [line["epoch"] for line in held_out] == [0, 2, 4, 5]
    assert [line["epoch"] for line in activity] == [0, 2, 4, 5]
    assert all(line["n_particles"] == 12 for line in held_out)
    assert all(len(line["divergence"]) == len(line["volume_variance"]) == 2 for line in activity)
    assert len({line["consensus_error"] for line in held_out}) == 1


def test_checkups_are_the_same_in_every_run(
    run: Path, star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    tomodrgn("train_vae", "--spec", run / "run.yaml", "-o", tmp_path / "again")
    for name in ("held_out.jsonl", "activity.jsonl"):
        assert (tmp_path / "again" / name).read_text() == (run / name).read_text()


def test_all_pictures_and_tables_are_there(folder: Path) -> None:
    pictures = {path.stem for path in (folder / "plots").glob("*.png")}
    matrices = {f"09_pairwise_CC_matrix_epoch-{epoch}" for epoch in (0, 4, 5)}
    matrices |= {f"10_groundtruth_CC_matrix_epoch-{epoch}" for epoch in (0, 4, 5)}
    assert pictures == PICTURES | matrices
    (correlations,) = load_pickles(folder / "cc_masked.pkl")
    (curves,) = load_pickles(folder / "fsc_masked.pkl")
    (freqs,) = load_pickles(folder / "fsc_masked_frequencies.pkl")
    (within,) = load_pickles(folder / "cc_masked_alltoall.pkl")
    (with_truth,) = load_pickles(folder / "cc_masked_alltogroundtruth.pkl")
    n_groups = len(correlations)
    assert correlations.shape == (n_groups, 2)
    assert curves.shape == (n_groups, 2, 9)
    assert freqs[-1] == 0.5
    assert within.shape == (3, n_groups, n_groups)
    assert with_truth.shape == (3, 2, n_groups)
    np.testing.assert_allclose(np.einsum("ejj->ej", within), 1)
    (shifts,) = load_pickles(folder / "vector_metrics.pkl")
    assert shifts.shape == (2, 3)


def test_representatives_are_latents_of_their_epoch_and_are_decoded(
    run: Path, folder: Path
) -> None:
    for epoch, name in ((0, "z.0.pkl"), (4, "z.4.pkl"), (5, "z.pkl")):
        table = folder / "repr_particles" / f"latent_representative.{epoch}.txt"
        latents = np.loadtxt(table, ndmin=2)
        known = load_pickles(run / name)[0]
        distance = np.abs(known[None] - latents[:, None]).max(2).min(1)
        np.testing.assert_allclose(distance, 0, atol=1e-6)
        volumes = sorted((folder / f"vols.{epoch}").glob("vol_*.mrc"))
        assert len(volumes) == len(latents)
        assert read_volume(volumes[0])[0].shape == (16, 16, 16)


def test_the_recommended_epoch_is_that_of_least_held_out_error(run: Path, folder: Path) -> None:
    findings = json.loads((folder / "convergence.json").read_text())
    errors = {line["error"]: line["epoch"] for line in lines(run / "held_out.jsonl")}
    assert findings["recommended_epoch"] == errors[min(errors)]
    assert findings["epochs"] == [0, 2, 4, 5]
    assert findings["shown_epochs"] == [0, 4, 5]
    assert (run / findings["weights"]).exists()


def test_an_earlier_epoch_can_be_asked_for_in_both_ways(
    run: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    for name, words in (("one", [4]), ("two", ["--epoch", 4])):
        tomodrgn(
            "convergence_vae", run, *words, "--skip-umap", "--skip-volgen", "-o", tmp_path / name,
            "--smooth", "False", "--subset", "None",
        )  # fmt: skip
    found = [json.loads((tmp_path / name / "convergence.json").read_text()) for name in
             ("one", "two")]  # fmt: skip
    assert found[0] == found[1]
    assert found[0]["epochs"] == [0, 2, 4]
    assert not list(tmp_path.glob("*/vols.*"))


def test_without_held_out_tilts_one_is_told_how_to_get_a_recommendation(
    run: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    copy = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("held_out.jsonl"))
    done = tomodrgn("convergence_vae", copy, "--skip-umap", "--skip-volgen")
    assert "--fraction-train" in done.stderr
    findings = json.loads((copy / "convergence.5" / "convergence.json").read_text())
    assert findings["recommended_epoch"] is None


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["3"], "no weights and latents of epoch 3; found epochs 0, 2, 4, 5"),
        (["0"], "epoch 0 is the only one"),
        (["--mask", "tite"], "'tite' is no mask"),
        (["--ground-truth", "nowhere/*.mrc"], "no file fits nowhere/*.mrc"),
        (["--ground-truth", "{run}/../small.mrc"], "small has (8, 8, 8) voxels, volumes have"),
        (["--subset", "some"], "subset"),
    ],
)
def test_faults_are_one_message_and_leave_nothing(
    words: list[str], fault: str, run: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    write_volume(run.parent / "small.mrc", np.zeros((8, 8, 8), np.float32), 1.0)
    words = [word.format(run=run) for word in words]
    done = tomodrgn("convergence_vae", run, *words, "-o", out, "--skip-umap", check=False)
    assert done.returncode == 1
    assert fault in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_a_directory_without_a_run_is_refused(tomodrgn: Command, tmp_path: Path) -> None:
    done = tomodrgn("convergence_vae", tmp_path, check=False)
    assert done.returncode == 1
    assert "no run.yaml there; give the run directory" in done.stderr


@pytest.mark.slow
def test_the_recommended_epoch_of_an_overfit_run_is_close_to_the_best(
    tomodrgn: Command, tmp_path: Path
) -> None:
    tomodrgn(
        "simulate", "--outdir", tmp_path / "set", "--n-particles", 60, "--n-classes", 2,
        "--box-size-px", 16, "--pixel-size-a", 16, "--n-tilts", 11, "--tilt-step-deg", 10,
        "--n-tomograms", 3, "--snr", 0.1, "--seed", 3,
    )  # fmt: skip
    run = tmp_path / "run"
    tomodrgn(
        "train_vae", tmp_path / "set" / "particles.star", "-o", run, "--zdim", 4, "-n", 61, "-b", 8,
        "--lr", 0.002, "--pooling-function", "mean", "--dec-dim", 192, "--enc-dim-A", 64,
        "--enc-dim-B", 64, "--out-dim-A", 32, "--pe-type", "gaussian", "--feat-sigma", 1,
        "--fraction-train", 0.7, "--seed", 1, "--checkpoint", 4, "--beta", 0.01,
    )  # fmt: skip
    done = tomodrgn(
        "convergence_vae", run, "--epoch-interval", 4, "--skip-umap", "--mask", "none",
        "--ground-truth", tmp_path / "set" / "maps" / "*.mrc",
    )  # fmt: skip
    assert "overfitting: after epoch" in done.stderr
    findings = json.loads((run / "convergence.60" / "convergence.json").read_text())
    true_fsc = findings["truth_fsc"]
    assert true_fsc[str(findings["recommended_epoch"])] > max(true_fsc.values()) - 0.02
    assert true_fsc["60"] < max(true_fsc.values()) - 0.02
