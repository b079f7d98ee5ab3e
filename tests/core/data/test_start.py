"""Whether particles are those of a run is told by names and poses, not by their order."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.data.run_directory import DatasetFacts
from tomodrgn.core.data.start import SavedState, require_same_particles
from tomodrgn.core.errors import RunError
from tomodrgn.core.geometry.rotations import random_rotations

_SOURCE = Path("other.star")


def _poses(seed: int) -> dict[str, list[float]]:
    turns = random_rotations(8, np.random.default_rng(seed)).reshape(8, 9)
    return {f"{row:016x}": turn.tolist() for row, turn in enumerate(turns)}


TRAINED = DatasetFacts(
    box_size_px=16,
    pixel_size_a=4.0,
    n_particles=8,
    n_images=40,
    min_tilts=5,
    particles_sha256="in order",
    particle_set_sha256="in any order",
    some_poses=_poses(0),
)


def _require_same(tmp_path: Path, facts: DatasetFacts, trained: DatasetFacts = TRAINED) -> None:
    (tmp_path / "run.yaml").write_text("seed: 0\n")
    (tmp_path / "manifest.json").write_text(json.dumps({"dataset": asdict(trained)}))
    start = SavedState(tmp_path / "weights.1.pkl", None)
    require_same_particles(start, facts, _SOURCE)


def test_the_same_particles_may_be_in_another_order(tmp_path: Path) -> None:
    _require_same(tmp_path, replace(TRAINED, particles_sha256="in another order"))


def test_refined_poses_are_those_of_the_same_particles(tmp_path: Path) -> None:
    shaken = {key: (np.array(pose) * 0.99).tolist() for key, pose in _poses(0).items()}
    _require_same(tmp_path, replace(TRAINED, some_poses=shaken))


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"n_particles": 7}, r"other.star: has 7 particles, not the 8 that .*weights\.1\.pkl was"),
        ({"particle_set_sha256": "others"}, "has 8 particles of other names than those that"),
        ({"some_poses": _poses(1)}, "names its particles alike, but [5-8] of 8 .* more than 20 de"),
    ],
)
def test_other_particles_are_refused(change: dict, answer: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=answer) as caught:
        _require_same(tmp_path, replace(TRAINED, **change))
    assert "start a new run in another --outdir, or encode these particles" in str(caught.value)


def test_runs_of_older_versions_compare_what_they_recorded(tmp_path: Path) -> None:
    older = replace(TRAINED, particle_set_sha256="", some_poses={})
    _require_same(tmp_path, TRAINED, older)
    _require_same(tmp_path, TRAINED, replace(older, particles_sha256=""))
    with pytest.raises(RunError, match="has 8 particles, but not those in the order that"):
        _require_same(tmp_path, replace(TRAINED, particles_sha256="x"), older)


def test_weights_without_a_manifest_are_taken_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        require_same_particles(SavedState(tmp_path / "weights.pkl", None), TRAINED, _SOURCE)
    assert "has no manifest.json beside it" in caplog.text
