"""backproject_voxel refines poses where they are wrong, and keeps half maps apart."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tomodrgn.core.commands import resolve_run
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.errors import SpecError
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.fourier.shells import fsc
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.particles.corrections_file import read_corrections
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.backproject.command import reconstruct
from tomodrgn.plugins.commands.backproject.spec import ReconstructionSpec

PREFIX = "map_"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One structure, poses off by some degrees."""
    spec = SimulationSpec(
        outdir=tmp_path_factory.mktemp("set"), n_particles=30, n_classes=1, box_size_px=16,
        pixel_size_a=16.0, n_tilts=7, snr=2.0, pose_error_deg=6.0, seed=3,
    )  # fmt: skip
    return simulate(spec)


def back_project(
    star: Path, out: Path, registry: Registry, *, poses: str = "auto", **fields: Any
) -> Path:
    layer = {"reader": {"path": str(star)}, "seed": 1, "refinement": {"poses": poses}}
    run = resolve_run("prepare", layer, registry=registry)
    body = {"out": out, **fields}
    (path,) = reconstruct(Dataset(run, registry), validate(ReconstructionSpec, body))
    return path


@pytest.fixture(scope="module")
def refined(simulated: Path, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return back_project(simulated, tmp_path_factory.mktemp("refined") / "map.mrc", registry)


def test_maps_of_wrong_poses_come_nearer_to_the_truth(
    simulated: Path, refined: Path, registry: Registry, tmp_path: Path
) -> None:
    before = simulated.read_bytes()
    stated = back_project(simulated, tmp_path / "map.mrc", registry, poses="off")
    true, _ = read_volume(simulated.parent / "maps" / "class_0.mrc")
    worse, better = (fsc(read_volume(path)[0], true)[1:7].mean() for path in (stated, refined))
    assert 1 - better < 0.6 * (1 - worse)
    assert not list(tmp_path.glob("*refined*"))
    assert simulated.read_bytes() == before
    assert not [each for each in refined.parent.iterdir() if each.name.startswith(".")]


def test_half_maps_are_those_of_the_corrections_beside_them(
    simulated: Path, refined: Path, registry: Registry, tmp_path: Path
) -> None:
    """Each particle was refined with the half whose map it is in."""
    layer = {"reader": {"path": str(simulated)}}
    run = resolve_run("prepare", layer, registry=registry)
    particles = registry.build(run.reader, ReaderContext(needs_images=False)).read()
    corrections = read_corrections(refined.parent, particles, prefix=PREFIX)
    assert np.abs(corrections.rotation_vector()).max() > 0.01
    dataset = Dataset(run, registry)
    reader, stated = dataset.selected
    off = run.model_copy(update={"seed": 1})
    known = Dataset(off, registry, known=(reader, corrections.of(stated)))
    known.everything = known.selected
    again = validate(ReconstructionSpec, {"out": tmp_path / "again.mrc"})
    reconstruct(known, again)
    for kind in ("", "_half1", "_half2"):
        first = read_volume(refined.with_name(f"map{kind}.mrc"))[0]
        second = read_volume(tmp_path / f"again{kind}.mrc")[0]
        np.testing.assert_allclose(first, second, atol=1e-5 * np.abs(first).max())


def test_corrections_of_an_earlier_map_of_that_name_do_not_stay(
    simulated: Path, registry: Registry, tmp_path: Path
) -> None:
    for name in ("refined_poses.star", "refined_tilts.star"):
        (tmp_path / f"{PREFIX}{name}").write_text("of earlier\n")
    back_project(simulated, tmp_path / "map.mrc", registry, poses="off", overwrite=True)
    assert not list(tmp_path.glob("*refined*"))


def test_tilts_that_refined_a_pose_make_no_independent_halves(
    simulated: Path, registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        back_project(simulated, tmp_path / "map.mrc", registry, half_by="tilt")
    assert "poses are left as stated, as half maps share out the tilts" in caplog.text
    with pytest.raises(SpecError, match="half_by: particle"):
        back_project(simulated, tmp_path / "b.mrc", registry, poses="on", half_by="tilt")
