from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.core.finished_run import finish_run
from tomodrgn.core.data.run import Run
from tomodrgn.core.errors import DataError
from tomodrgn.core.interfaces import RunResults
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.confounds.command import nuisance
from tomodrgn.plugins.commands.confounds.spec import NuisanceSpec

N = 90


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> RunResults:
    """A run whose latents are noise, with particles of differing defocus."""
    folder = tmp_path_factory.mktemp("run")
    spec = SimulationSpec(
        outdir=folder / "sim",
        n_particles=N,
        n_classes=2,
        box_size_px=8,
        n_tilts=5,
        min_tilts=3,
        field_a=(4000.0, 4000.0, 9000.0),
        defocus_um=(1.5, 4.0),
    )
    latents = np.random.default_rng(0).standard_normal((N, 3))
    run = finish_run(folder / "run", simulate(spec), latents, registry)
    return Run(run, registry).results()


def _report(results: RunResults, latents: np.ndarray, registry: Registry, folder: Path):
    star = results.particles.source
    run = finish_run(folder / "run", star, latents, registry)
    return nuisance(Run(run, registry), NuisanceSpec(run=run, outdir=folder / "out"))


def test_noise_is_explained_by_nothing(
    results: RunResults, registry: Registry, tmp_path: Path
) -> None:
    assert results.latents is not None
    report = _report(results, results.latents, registry, tmp_path)
    assert report.worrying == []
    assert {each.name for each in report.influences} >= {"tomogram", "contrast", "defocus (µm)"}
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"nuisance.json", "nuisance.md", "nuisance.png"}
    found = json.loads((tmp_path / "out" / "nuisance.json").read_text())
    assert found["n_particles"] == N


def test_injected_defocus_is_found(results: RunResults, registry: Registry, tmp_path: Path) -> None:
    assert results.latents is not None
    ctf = results.particles.images.ctf
    assert ctf is not None
    defocus = ctf.defocus_u_a[results.particles.starts[:-1]]
    latents = results.latents.copy()
    latents[:, 2] += 2 * (defocus - defocus.mean()) / defocus.std()
    report = _report(results, latents, registry, tmp_path)
    assert report.worrying[0].name == "defocus (µm)"
    assert report.worrying[0].explained.max() > 0.5


def test_missing_stacks_leave_contrast_out(
    results: RunResults, registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stacks = results.particles.source.parent / "stacks"
    away = stacks.rename(stacks.with_name("away"))
    try:
        spec = NuisanceSpec(run=results.directory, outdir=tmp_path)
        report = nuisance(Run(spec.run, registry), spec)
    finally:
        away.rename(stacks)
    assert "contrast" not in {each.name for each in report.influences}
    assert "contrast is not looked at" in caplog.text


def test_few_particles_are_refused(results: RunResults, registry: Registry, tmp_path: Path) -> None:
    few = {"dataset": {"use_first_nptcls": 12}}
    run = finish_run(tmp_path / "run", results.particles.source, np.eye(12), registry, few)
    with pytest.raises(DataError, match="12 particles are too few to tell"):
        nuisance(Run(run, registry), NuisanceSpec(run=run, outdir=tmp_path / "out"))
    assert not (tmp_path / "out").exists()
