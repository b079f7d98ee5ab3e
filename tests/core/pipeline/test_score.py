from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.files.pickles import write_latents
from tomodrgn.core.pipeline import score
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.truth import read_truth
from tomodrgn.core.specs.simulation import ScoreSpec, SimulationSpec


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    spec = SimulationSpec(
        outdir=tmp_path / "truth",
        n_particles=8,
        n_classes=2,
        box_size_px=8,
        n_tilts=3,
        n_tomograms=1,
    )
    return simulate(spec).parent


@pytest.mark.parametrize("is_decoded", [False, True])
def test_a_score_leaves_its_picture_and_logs_its_table(
    is_decoded: bool, truth: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="tomodrgn")
    known = read_truth(truth)
    latents = np.eye(2, dtype=np.float32)[known.labels]
    write_latents(tmp_path / "run/z.pkl", latents, latents)
    for i, volume in enumerate(known.maps if is_decoded else ()):
        write_volume(tmp_path / f"run/volumes/vol_{i:03d}.mrc", volume, 8.0)
    scores = score(ScoreSpec(run=tmp_path / "run", truth=truth, out=tmp_path / "out"))
    assert scores["class accuracy"] == 1
    assert len(scores) == 3 + 2 * is_decoded
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "class_latents.txt",
        "recovery.png",
        "scores.json",
    }
    assert all(name in caplog.text for name in scores)
