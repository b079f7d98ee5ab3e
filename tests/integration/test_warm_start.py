"""``train_vae`` that starts from a linear model, as a user calls it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.integration.conftest import SMALL_NETWORK, Command
from tomodrgn.core.files.pickles import read_latents
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

_LINEAR = ("--zdim", 1, "--seed", 1, "--threads", 1, "--no-report")


@pytest.fixture(scope="module")
def two_states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty particles of two states that a linear model tells apart."""
    return simulate(
        SimulationSpec(
            outdir=tmp_path_factory.mktemp("two_states"),
            n_particles=60,
            n_classes=2,
            box_size_px=16,
            pixel_size_a=20.0,
            n_tilts=7,
            tilt_step_deg=15.0,
            snr=1.0,
            seed=0,
        )
    )


@pytest.fixture(scope="module")
def linear(star: Path, tomodrgn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("linear") / "run"
    tomodrgn("train_linear", star, "-o", run, *_LINEAR)
    return run


def test_init_linear_fits_a_linear_model_inside_the_run_and_goes_on_from_it(
    star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = tomodrgn("train_vae", star, "-o", run, *SMALL_NETWORK, "-n", 1, "--init", "linear")
    assert (run / "linear" / "linear.json").exists()
    assert not (run / "linear" / "cache.h5").exists()  # one cache serves both
    assert "encoder taught" in done.stderr + done.stdout + (run / "run.log").read_text()
    tomodrgn("train_vae", star, "-o", run, *SMALL_NETWORK, "-n", 2, "--load", "latest")
    mean, log_variance = read_latents(run / "z.pkl")
    assert mean.shape == log_variance.shape == (12, 2)
    assert np.isfinite(mean).all()


def test_latents_begin_where_the_linear_run_ended(
    two_states: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    linear, run = tmp_path / "linear", tmp_path / "run"
    tomodrgn("train_linear", two_states, "-o", linear, *_LINEAR)
    still = ("-n", 1, "--lr", 1e-9)
    words = (*SMALL_NETWORK, "--pooling-function", "mean", *still)
    tomodrgn("train_vae", two_states, "-o", run, *words, "--init-from", linear)
    known, found = (read_latents(folder / "z.pkl")[0] for folder in (linear, run))
    assert np.corrcoef(known[:, 0], found[:, 0])[0, 1] > 0.9
    assert found[:, 1].std() < 0.3 * known[:, 0].std()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--init-from", "{nothing}"), "nothing: there is no such file or folder"),
        (("--init-from", "{linear}", "--uninvert-data"), "same data options"),
        (("--init-from", "{network}"), "train_linear"),
    ],
)
def test_a_start_that_cannot_be_is_refused_before_anything_is_written(
    star: Path,
    linear: Path,
    tomodrgn: Command,
    tmp_path: Path,
    words: tuple[str, ...],
    reason: str,
) -> None:
    network = tmp_path / "network"
    if "{network}" in words:
        tomodrgn("train_vae", star, "-o", network, *SMALL_NETWORK, "-n", 1)
    places = {"nothing": tmp_path / "nothing", "linear": linear, "network": network}
    filled = [word.format(**places) for word in words]
    run = tmp_path / "run"
    done = tomodrgn("train_vae", star, "-o", run, *SMALL_NETWORK, *filled, check=False)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert not run.exists()
