"""Pictures that a training run leaves, and a run that cannot draw."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.conftest import SMALL_NETWORK, Command

pytestmark = pytest.mark.usefixtures("rendered")


def test_a_run_leaves_a_picture_per_weighting_scheme_and_of_its_losses(
    star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    weighted = ["--recon-dose-weight", "--recon-tilt-weight"]
    tomodrgn("train_vae", star, "-o", tmp_path, *SMALL_NETWORK, "-n", 2, *weighted)
    schemes = sorted(path.name for path in tmp_path.glob("weighting_scheme_*.png"))
    assert schemes == [f"weighting_scheme_{i}.png" for i in range(len(schemes))]
    assert 1 <= len(schemes) <= 3  # tomograms
    assert (tmp_path / "training_curves.png").exists()
    tomodrgn("train_vae", star, "-o", tmp_path, *SMALL_NETWORK, "-n", 1, "--overwrite")
    assert [path.name for path in tmp_path.glob("*.png")] == ["training_curves.png"]


def test_a_run_without_matplotlib_is_complete_but_for_pictures(
    star: Path, cold_tomodrgn: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken/matplotlib/__init__.py"
    broken.parent.mkdir(parents=True)
    broken.write_text("raise ImportError('matplotlib is broken')\n")
    places = [str(tmp_path / "broken"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, places)))
    run = tmp_path / "run"
    options = [*SMALL_NETWORK, "-n", 1, "--recon-dose-weight"]
    done = cold_tomodrgn("train_vae", star, "-o", run, *options)
    assert done.stderr.count("matplotlib is broken") == 2
    assert "weighting_scheme_*.png is not drawn" in (run / "run.log").read_text()
    assert {"weights.pkl", "z.pkl", "run.yaml"} <= {path.name for path in run.iterdir()}
    assert not list(run.glob("*.png"))
