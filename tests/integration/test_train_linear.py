"""``train_linear`` on small sets whose answers are known: what it leaves, and what works on it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from tests.integration.conftest import shuffle_rows
from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.commands import resolve, resolve_run
from tomodrgn.core.data.run import Run
from tomodrgn.core.errors import SpecError
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.particles.splits import train_mask
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.truth import read_truth
from tomodrgn.core.specs.files import merge, read_assignments
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.integration.conftest import Command

_PLAIN = ("--seed", 1, "--accelerator", "cpu", "--threads", 1, "--no-report")
_N = 60


def _simulate(folder: Path, **options: object) -> Path:
    """Sixty particles of box 16 with 5 to 7 tilts."""
    common = {"n_particles": _N, "box_size_px": 16, "pixel_size_a": 18.0, "n_tilts": 7}
    return simulate(
        SimulationSpec.model_validate(
            {"outdir": folder, "min_tilts": 5, "seed": 1, **common, **options}
        )
    )


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of three classes."""
    return _simulate(tmp_path_factory.mktemp("classes"), n_classes=3, snr=1.0)


@pytest.fixture(scope="module")
def run(classes: Path, tomodrgn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """These, with two latent dimensions."""
    outdir = tmp_path_factory.mktemp("run") / "run"
    tomodrgn("train_linear", classes, "-o", outdir, "--zdim", 2, *_PLAIN)
    return outdir


def _latents_by_name(run: Path) -> dict[str, NDArray[np.float32]]:
    results = Run(run, builtin_registry()).results()
    assert results.latents is not None
    return dict(zip(results.particles.name.tolist(), results.latents, strict=True))


def _figures(run: Path) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads((run / "linear.json").read_text())
    return figures


def test_classes_are_apart_in_the_latents(classes: Path, run: Path) -> None:
    latents = _latents_by_name(run)
    number = np.array([int(name.split("_")[1]) for name in latents])
    truth = read_truth(classes.parent).labels[number]
    labels = KMeans(3, n_init=10, random_state=0).fit_predict(np.stack(list(latents.values())))
    assert adjusted_rand_score(truth, labels) >= 0.9


def test_covariances_belong_to_the_latents(run: Path) -> None:
    results = Run(run, builtin_registry()).results()
    mean, log_variance = results.latents, results.log_variance
    assert mean is not None
    assert log_variance is not None
    covariance = np.load(run / "z_covariance.npy")
    assert mean.shape == log_variance.shape == (_N, 2)
    assert covariance.shape == (_N, 2, 2)
    variance = covariance.diagonal(axis1=1, axis2=2)
    np.testing.assert_allclose(np.exp(log_variance), variance, rtol=1e-5)
    np.testing.assert_allclose(variance.mean(0), 1, atol=1e-3)  # in units of what is not known


def test_figures_say_what_was_found(run: Path) -> None:
    figures = _figures(run)
    assert figures["is_heterogeneous"]
    assert figures["n_latents"] == 2
    assert figures["held_out"]["z"][1] > 2.5
    assert np.shape(figures["fsc"]) == (3, 9)
    assert figures["resolution_a"][:2] == [None, 16 * 18.0]
    assert "particles differ" in (run / "run.log").read_text()


def test_volumes_of_latents_are_the_consensus_and_basis_maps(run: Path, tomodrgn: Command) -> None:
    names = ("reconstruct", "basis_000", "basis_001")
    mean, first, second = (read_volume(run / f"{name}.mrc")[0] for name in names)
    tomodrgn("eval_vol", run / "weights.pkl", "-o", run / "volume.mrc", "-z", 1.5, -0.5)
    decoded, _ = read_volume(run / "volume.mrc")
    expected = mean + 1.5 * first - 0.5 * second
    # decoded volumes have no corners beyond Nyquist
    assert np.corrcoef(decoded.ravel(), expected.ravel())[0, 1] > 0.99


def test_the_consensus_is_the_mean_of_its_halves_and_of_the_truth(classes: Path, run: Path) -> None:
    names = ("reconstruct", "reconstruct_half1", "reconstruct_half2")
    mean, *halves = (read_volume(run / f"{name}.mrc")[0].ravel() for name in names)
    truth = read_truth(classes.parent).maps.mean(0).ravel()
    assert np.corrcoef(mean, truth)[0, 1] > 0.8
    assert min(np.corrcoef(mean, half)[0, 1] for half in halves) > 0.9


def test_particles_can_be_exported_with_their_latents(
    run: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    tomodrgn("export", run, "star", "-o", tmp_path / "out")
    (star,) = (tmp_path / "out").rglob("*.star")
    assert star.stat().st_size > 0


def test_shuffled_rows_give_the_same_latents(
    classes: Path, run: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    shuffled = shuffle_rows(classes, "shuffled.star")
    tomodrgn("train_linear", shuffled, "-o", tmp_path / "again", "--zdim", 2, *_PLAIN)
    found, expected = _latents_by_name(tmp_path / "again"), _latents_by_name(run)
    assert found.keys() == expected.keys()
    for name, latent in expected.items():
        np.testing.assert_allclose(found[name], latent, atol=0.02)  # order of float32 sums


def test_particles_that_are_alike_are_said_to_be(tomodrgn: Command, tmp_path: Path) -> None:
    star = _simulate(tmp_path / "alike", n_classes=1, snr=0.5)
    outdir = tmp_path / "run"
    tomodrgn("train_linear", star, "-o", outdir, "--zdim", "auto", *_PLAIN)
    figures = _figures(outdir)
    assert not figures["is_heterogeneous"]
    assert figures["n_latents"] == 1
    assert "no heterogeneity found" in (outdir / "run.log").read_text()


def test_held_out_tilts_are_as_if_they_were_not_there(
    classes: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    words = ("train_linear", classes, "--zdim", 1, "--norm", 0, 100, *_PLAIN)
    tomodrgn(*words, "-o", tmp_path / "held_out", "--fraction-train", 0.7)
    particles = Run(tmp_path / "held_out", builtin_registry()).results().particles
    kept = particles.source_image[train_mask(particles, 0.7, seed=1)]
    np.savetxt(tmp_path / "kept.txt", kept, fmt="%d")
    tomodrgn(*words, "-o", tmp_path / "left_out", "--ind-imgs", tmp_path / "kept.txt")
    found, expected = (_latents_by_name(tmp_path / name) for name in ("held_out", "left_out"))
    for name, latent in expected.items():
        np.testing.assert_allclose(found[name], latent, atol=0.02)


@pytest.mark.parametrize(
    "assignment",
    ["training.lr=0.1", "training.load=latest", "latent.beta=1", "loss_weightings=[{kind: dose}]"],
)
def test_what_would_have_no_effect_is_refused(classes: Path, assignment: str) -> None:
    data = {"reader": {"path": str(classes)}}
    with pytest.raises(SpecError, match="train_linear and classify have no use for it"):
        resolve_run(
            "train_linear", merge(data, read_assignments([assignment])), registry=builtin_registry()
        )


def test_classes_have_no_latents(classes: Path) -> None:
    data = {"reader": {"path": str(classes)}, "n_classes": 2, "latent": {"dim": 2}, "outdir": "o"}
    registry = builtin_registry()
    with pytest.raises(SpecError, match=r"latent\.dim: classes have no latents"):
        resolve(registry.command("classify"), data, registry=registry)


def test_too_many_dimensions_for_the_particles_are_refused(
    classes: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    done = tomodrgn("train_linear", classes, "-o", tmp_path / "run", "--zdim", 9, check=False)
    assert done.returncode == 1
    assert "9 latent dimensions need 36 in each; take more particles, or lower" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("zdim", ["0", "-1", "many", "1.5"])
def test_a_number_of_dimensions_is_a_number_or_auto(
    classes: Path, tomodrgn: Command, tmp_path: Path, zdim: str
) -> None:
    done = tomodrgn("train_linear", classes, "-o", tmp_path / "run", f"--zdim={zdim}", check=False)
    assert done.returncode == 2
    assert f"{zdim} is neither a positive number nor auto" in done.stderr


def test_a_run_is_replaced_only_on_request(
    classes: Path, run: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    before = (run / "z.pkl").read_bytes()
    words = ("train_linear", classes, "-o", run, "--zdim", 2, *_PLAIN)
    done = tomodrgn(*words, check=False)
    assert done.returncode == 1
    assert "already holds a run" in done.stderr
    assert "--overwrite" in done.stderr
    assert (run / "z.pkl").read_bytes() == before
    tomodrgn(*words, "--overwrite")
    assert (run / "z.pkl").read_bytes() == before  # same seed, same latents


@pytest.mark.slow
def test_posteriors_are_as_wide_as_they_say(tomodrgn: Command, tmp_path: Path) -> None:
    """90 % regions hold the true coordinates of 85 to 95 % of the particles."""
    star = _simulate(
        tmp_path / "linear",
        n_classes=1,
        motion="linear",
        linear_dim=2,
        n_particles=400,
        n_tomograms=6,
        box_size_px=32,
        pixel_size_a=10.0,
        n_tilts=13,
        min_tilts=9,
        tilt_step_deg=8.0,
        snr=0.1,
    )
    run = tmp_path / "run"
    tomodrgn("train_linear", star, "-o", run, "--zdim", 2, *_PLAIN)
    tomodrgn("score", run, star.parent, "-o", tmp_path / "scores")
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text())
    assert 0.85 <= scores["true coordinates in 90% regions"] <= 0.95
