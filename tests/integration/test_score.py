"""Runs on some of the particles, in another order, are scored as the particles that they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.integration.conftest import SMALL_NETWORK, shuffle_rows
from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.run import Run
from tomodrgn.core.files.pickles import write_latents
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.tomograms import names_of
from tomodrgn.core.simulation.truth import read_truth
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from tests.integration.conftest import Command


def test_latents_are_joined_with_the_truth_by_name(
    star: Path, tomodrgn: Command, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    few = ("--use-first-nptcls", 9, "-n", 1, *SMALL_NETWORK)
    tomodrgn("train_vae", shuffle_rows(star, "shuffled.star"), "-o", run, *few)
    particles = Run(run, builtin_registry()).results().particles
    number = np.array([int(name.split("_")[1]) for name in particles.name])
    assert np.any(np.diff(number) < 0)
    latents = np.eye(2)[read_truth(star.parent).labels[number]]
    write_latents(run / "z.pkl", latents, np.zeros_like(latents))
    printed = tomodrgn("score", run, star.parent, "--n-decoded", 3).stdout
    scores = json.loads(Path(printed.strip()).read_text())
    assert scores["class accuracy"] == 1
    assert 0 < abs(scores["per-image AUC-FSC, mean"]) < 0.5


def test_a_run_on_other_particles_is_refused(star: Path, tomodrgn: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    tomodrgn("train_vae", star, "-o", run, "-n", 1, *SMALL_NETWORK)
    other = SimulationSpec(outdir=tmp_path / "other", n_particles=6, box_size_px=16, n_tilts=3)
    done = tomodrgn("score", run, simulate(other).parent, check=False)
    assert done.returncode == 1
    assert "is wanted and not among the 6 particles at hand" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (run / "scores.json").exists()


@pytest.mark.parametrize("name", ["warp", "nextpyp", "warptools", "relion5", "relion4"])
def test_readers_call_particles_as_the_truth_does(tmp_path: Path, name: str) -> None:
    spec = SimulationSpec(
        outdir=tmp_path, format=name, n_particles=5, n_tomograms=2, box_size_px=8, n_tilts=3
    )
    registry = builtin_registry()
    run = resolve_run("prepare", {"reader": {"path": str(simulate(spec))}}, registry=registry)
    particles = registry.build(run.reader, ReaderContext(needs_images=False)).read()
    assert particles.tomogram.tolist() == names_of(spec).tomogram.tolist()
    assert particles.name.tolist() == names_of(spec).name.tolist()
