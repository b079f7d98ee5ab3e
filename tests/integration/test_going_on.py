"""A run goes on with its own particles, in any order, and with no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import SMALL_NETWORK, Command, shuffle_rows
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def stopped(star: Path, tomodrgn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch."""
    outdir = tmp_path_factory.mktemp("vae") / "run"
    tomodrgn("train_vae", star, "-o", outdir, *SMALL_NETWORK, "-n", 1)
    return outdir


def test_other_particles_of_the_same_names_are_refused_whatever_the_cache_says(
    stopped: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    other = simulate(
        SimulationSpec(
            outdir=tmp_path, n_particles=12, box_size_px=16, pixel_size_a=20.0, n_tilts=5,
            min_tilts=3, n_tomograms=3, seed=1,
        )
    )  # fmt: skip
    before = (stopped / "manifest.json").read_bytes()
    words = ("train_vae", other, "-o", stopped, *SMALL_NETWORK, "-n", 2, "--load", "latest")
    done = tomodrgn(*words, "--rebuild-cache", check=False)
    assert done.returncode == 1
    assert "names its particles alike, but 12 of 12 looked at are turned" in done.stderr
    assert "Traceback" not in done.stderr
    assert (stopped / "manifest.json").read_bytes() == before


def test_rows_may_be_in_another_order(star: Path, stopped: Path, tomodrgn: Command) -> None:
    shuffled = shuffle_rows(star, "going_on.star")
    words = ("train_vae", shuffled, "-o", stopped, *SMALL_NETWORK, "-n", 2, "--load", "latest")
    tomodrgn(*words, "--rebuild-cache")
