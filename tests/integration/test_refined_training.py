"""Commands refine poses before they fit anything, keep what they found, and go on with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tomodrgn as td
from tests.integration.conftest import SMALL_NETWORK, Command
from tomodrgn.core.analysis.covariates import particle_covariates
from tomodrgn.core.particles.corrections_file import read_corrections
from tomodrgn.core.products import REFINED_POSES, REFINED_TILTS
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

_SEED = ("--seed", 1, "--threads", 1, "--no-report")


@pytest.fixture(scope="module")
def displaced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty particles of one structure that lie elsewhere than the file states."""
    return simulate(
        SimulationSpec(
            outdir=tmp_path_factory.mktemp("displaced"),
            n_particles=40,
            n_classes=1,
            box_size_px=16,
            pixel_size_a=20.0,
            n_tilts=7,
            tilt_step_deg=15.0,
            shift_error_px=0.8,
            snr=1.0,
            seed=0,
        )
    )


@pytest.fixture(scope="module")
def linear(displaced: Path, tomodrgn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("linear") / "run"
    tomodrgn("train_linear", displaced, "-o", run, "--zdim", 1, *_SEED)
    return run


def test_a_linear_model_is_fitted_to_refined_poses_and_keeps_them(linear: Path) -> None:
    figures = json.loads((linear / "linear.json").read_text())
    assert figures["refinement"]["is_used"]
    assert figures["refinement"]["shift_a"] == pytest.approx(16, rel=0.3)  # 0.8 px of 20 A
    assert not figures["is_heterogeneous"]
    assert "refined poses are used" in (linear / "run.log").read_text()
    particles = td.open(linear).particles
    assert particles.images.further_shift_px.any()
    assert {"refined shift (Å)", "fitted contrast (log)"} <= set(particle_covariates(particles))


def test_what_displaced_particles_differ_by_is_said_where_nothing_is_refined(
    displaced: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    tomodrgn("train_linear", displaced, "-o", run, "--zdim", 1, "--refine-poses", "off", *_SEED)
    figures = json.loads((run / "linear.json").read_text())
    assert figures["refinement"] is None
    assert not (run / REFINED_POSES).exists()
    assert figures["verdict"]["share"]["shift"] > 0.3  # said with it, if they are


def test_networks_start_from_the_poses_of_their_linear_model(
    displaced: Path, linear: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    tomodrgn(
        "train_vae", displaced, "-o", run, *SMALL_NETWORK, "-n", 1, "--init-from", linear, *_SEED
    )
    for name in (REFINED_POSES, REFINED_TILTS):
        assert (run / name).exists()
    particles = td.read(displaced).particles
    mine, first = read_corrections(run, particles), read_corrections(linear, particles)
    np.testing.assert_allclose(mine.shift_px, first.shift_px, atol=1e-9)
    tomodrgn("train_vae", displaced, "-o", run, *SMALL_NETWORK, "-n", 2, "--load", "latest", *_SEED)
    again = read_corrections(run, particles)
    np.testing.assert_array_equal(again.shift_px, mine.shift_px)


def test_a_network_refines_by_itself_unless_told_not_to(
    displaced: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    call = ("train_nn", displaced, "-n", 1, "--layers", 1, "--dim", 8, *_SEED)
    tomodrgn(*call, "-o", tmp_path / "auto")
    tomodrgn(*call, "-o", tmp_path / "off", "--refine-poses", "off")
    assert (tmp_path / "auto" / REFINED_POSES).exists()
    assert not (tmp_path / "off" / REFINED_POSES).exists()
