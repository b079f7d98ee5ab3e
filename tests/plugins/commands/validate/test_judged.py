"""Labels that follow errors of poses are told from states, whatever images say of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.core.finished_run import finish_run
from tomodrgn.core.data.run import Run
from tomodrgn.core.particles.corrections import no_corrections
from tomodrgn.core.particles.corrections_file import write_corrections
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.validate.command import validate
from tomodrgn.plugins.commands.validate.page import Validation
from tomodrgn.plugins.commands.validate.spec import ValidateSpec

N = 80


@pytest.fixture(scope="module")
def run(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on images of one structure, half a pixel of which is displaced along x."""
    folder = tmp_path_factory.mktemp("alike")
    spec = SimulationSpec(
        outdir=folder / "set", n_particles=N, n_classes=1, n_tilts=7, tilt_step_deg=12.0,
        box_size_px=16, pixel_size_a=18.0, snr=0.5, seed=3,
    )  # fmt: skip
    star = simulate(spec)
    return finish_run(folder / "run", star, np.zeros((N, 2)), registry)


def _labels(run: Path) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.arange(N) % 2)


def _displaced(run: Path, registry: Registry, labels: np.ndarray, by_px: float) -> None:
    """Let the run have refined poses that are wrong along an axis of the reference, by class."""
    particles = Run(run, registry).particles
    shift_px = np.zeros((N, 3))
    shift_px[:, 2] = np.where(labels == 0, -by_px, by_px)
    corrections = replace(no_corrections(particles), shift_px=shift_px)
    write_corrections(run, particles, corrections)


def _validate(run: Path, labels: np.ndarray, out: Path, registry: Registry) -> Validation:
    path = out.with_suffix(".txt")
    np.savetxt(path, labels, fmt="%d")
    spec = ValidateSpec(run=run, labels=path, outdir=out, decoder=False)
    return validate(Run(run, registry), spec)


def test_classes_by_where_poses_are_wrong_are_named_errors(
    run: Path, registry: Registry, tmp_path: Path
) -> None:
    labels = _labels(run)
    _displaced(run, registry, labels, 0.5)
    found = _validate(run, labels, tmp_path / "wrong", registry)
    assert found.blind is not None
    assert found.blind.is_real  # what the verdict guards against
    assert found.verdict == "errors of pose or contrast"
    assert found.class_verdicts != ["differs"] * 2
    assert found.judged is not None
    assert found.judged.share["shift"] > 0.85
