"""Which images and which maps decide whether classes differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.finished_run import finish_run
from tomodrgn.core.data.run import Run
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.particles.splits import train_mask
from tomodrgn.core.reconstruction.resolution import spherical_mask
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.validate import separation
from tomodrgn.plugins.commands.validate.command import validate
from tomodrgn.plugins.commands.validate.page import Validation
from tomodrgn.plugins.commands.validate.spec import ValidateSpec

BOX_PX = 16


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of few small images of two classes."""
    spec = SimulationSpec(
        outdir=tmp_path_factory.mktemp("simulated"),
        n_particles=24,
        n_classes=2,
        n_tilts=8,
        tilt_step_deg=12.0,
        box_size_px=BOX_PX,
        pixel_size_a=20.0,
        snr=0.5,
        seed=5,
    )
    return simulate(spec).parent


def _validate(
    simulated: Path, folder: Path, registry: Registry, fraction_train: float
) -> tuple[Run, Validation]:
    labels = simulated / "labels.pkl"
    latents = np.eye(2)[read_labels(labels)]
    part = {"dataset": {"fraction_train": fraction_train}}
    directory = finish_run(folder / "run", simulated / "particles.star", latents, registry, part)
    run = Run(directory, registry)
    spec = ValidateSpec(run=directory, labels=labels, decoder=False)
    return run, validate(run, spec)


def _remembered(monkeypatch: pytest.MonkeyPatch, name: str) -> list[tuple[Any, ...]]:
    """What a function that ``separation`` uses is called with."""
    calls: list[tuple[Any, ...]] = []
    real = getattr(separation, name)

    def call(*arguments: Any, **named: Any) -> Any:
        calls.append(arguments)
        return real(*arguments, **named)

    monkeypatch.setattr(separation, name, call)
    return calls


@pytest.mark.parametrize("fraction_train", [0.5, 1.0])
def test_images_that_the_run_was_trained_on_decide_only_where_there_are_no_others(
    fraction_train: float,
    simulated: Path,
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = _remembered(monkeypatch, "draw_images")
    run, found = _validate(simulated, tmp_path, registry, fraction_train)
    [(raw, images, *_)] = calls
    particles = raw.particles
    trained_on = train_mask(particles, fraction_train, run.spec.seed or 0)
    assert found.is_held_out == (fraction_train < 1)
    expected = ~trained_on if found.is_held_out else trained_on
    np.testing.assert_array_equal(images, np.flatnonzero(expected))


def test_maps_that_images_are_compared_with_are_masked(
    simulated: Path, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged, compared = (_remembered(monkeypatch, name) for name in ("judge_classes_of", "fsc"))
    _validate(simulated, tmp_path, registry, 1.0)
    outside = spherical_mask(BOX_PX, 0.8) == 0
    assert outside.any()
    volumes = [np.asarray(each) for _, _, maps, *_ in judged for half in maps for each in half]
    halves = [np.asarray(each) for pair in compared for each in pair]
    assert len(volumes) == 2 * (1 + 2)  # of each half, the common map and two differences
    assert len(halves) == 2
    for volume in (*volumes, *halves):
        assert np.abs(volume[outside]).max() == 0
        assert np.abs(volume[~outside]).max() > 0
