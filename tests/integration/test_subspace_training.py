"""train_vae without options: a model in a subspace, from images to latents of other particles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.files.pickles import read_latents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Command

_SET = ("--n-particles", 80, "--n-classes", 2, "--box-size-px", 16, "--pixel-size-a", 20)


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory, tomodrgn: Command) -> Path:
    folder = tmp_path_factory.mktemp("states") / "set"
    tomodrgn("simulate", "-o", folder, *_SET, "--n-tilts", 9, "--snr", 0.3)
    return folder


@pytest.fixture(scope="module")
def run(states: Path, tomodrgn: Command) -> Path:
    outdir = states.parent / "run"
    tomodrgn("train_vae", states / "particles.star", "-o", outdir, "--seed", 0)
    return outdir


def _latents(path: Path) -> np.ndarray:
    return read_latents(path)[0]


def test_states_are_apart_in_the_latents(states: Path, run: Path) -> None:
    z = _latents(run / "z.pkl")
    labels = np.loadtxt(states / "labels.txt", dtype=int)
    found = KMeans(2, n_init=10, random_state=0).fit_predict(z)
    assert adjusted_rand_score(labels, found) > 0.9
    assert z.shape == (80, 1)


def test_what_was_compared_is_written(run: Path) -> None:
    figures = json.loads((run / "subspace.json").read_text(encoding="utf-8"))
    assert figures["n_latents"] == 1
    assert figures["held_out"]["gain"][0] > 0
    assert (run / "linear.json").exists()
    assert "log likelihood of held-out tilts" in (run / "run.log").read_text(encoding="utf-8")


def test_volumes_of_latents_are_decoded(run: Path, tmp_path: Path, tomodrgn: Command) -> None:
    z = _latents(run / "z.pkl")[:, 0]
    ends = tmp_path / "ends.txt"
    np.savetxt(ends, [[z.min()], [z.max()]])
    tomodrgn("eval_vol", "-w", run / "weights.pkl", "--zfile", ends, "-o", tmp_path / "volumes")
    first, second = (
        read_volume(path)[0] for path in sorted((tmp_path / "volumes").glob("*.mrc"))[:2]
    )
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] < 0.99


def test_other_particles_are_encoded(
    states: Path, run: Path, tmp_path: Path, tomodrgn: Command
) -> None:
    """Particles of the same molecule that the run has never seen."""
    other = tmp_path / "other"
    tomodrgn("simulate", "-o", other, *_SET, "--n-tilts", 9, "--snr", 0.3, "--seed", 7)
    out = tmp_path / "new" / "z.pkl"
    tomodrgn("eval_images", other / "particles.star", "-w", run / "weights.pkl", "-o", out)
    known, labels = _latents(run / "z.pkl")[:, 0], np.loadtxt(states / "labels.txt", dtype=int)
    means = [known[labels == k].mean() for k in (0, 1)]
    found = np.abs(_latents(out)[:, :1] - means).argmin(1)
    truth = np.loadtxt(other / "labels.txt", dtype=int)
    assert (found == truth).mean() > 0.9


def test_a_subspace_has_no_use_for_epochs(states: Path, tmp_path: Path, tomodrgn: Command) -> None:
    done = tomodrgn(
        "train_vae", states / "particles.star", "-o", tmp_path / "run",
        "--set", "decoder.kind=subspace_mlp", "-n", 3, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "training.num_epochs: subspace_mlp has no use for it" in done.stderr


def test_an_encoder_of_images_does_not_go_with_it(
    states: Path, tmp_path: Path, tomodrgn: Command
) -> None:
    kinds = ("--set", "decoder.kind=subspace_mlp", "--set", "encoder.kind=tilt_set")
    done = tomodrgn(
        "train_vae", states / "particles.star", "-o", tmp_path / "run", *kinds, check=False
    )
    assert done.returncode == 1
    assert "takes linear posteriors" in done.stderr


def test_discrete_states_have_labels_and_half_maps(states: Path, run: Path) -> None:
    figures = json.loads((run / "subspace.json").read_text(encoding="utf-8"))["states"]
    assert (figures["are_enough"], figures["n"]) == (True, 2)
    truth = np.loadtxt(states / "labels.txt", dtype=int)
    assert adjusted_rand_score(truth, read_labels(run / "labels.pkl")) > 0.9
    assert {"class_000.mrc", "class_001_half2.mrc", "posterior.npy"} <= {
        path.name for path in run.iterdir()
    }
    assert "particles are in 2 discrete states" in (run / "run.log").read_text(encoding="utf-8")


def test_there_are_no_epochs_to_compare(run: Path, tmp_path: Path, tomodrgn: Command) -> None:
    done = tomodrgn("convergence_vae", run, "-o", tmp_path / "compared", check=False)
    assert done.returncode == 1
    assert "was fitted without epochs" in done.stderr
