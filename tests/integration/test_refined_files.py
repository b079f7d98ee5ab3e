"""Refined poses in files of every format, simulated and real: other programs read them, and so do
we, from the folder that they were written to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.plugins.readers.refined_sets import (
    assert_other_columns_stay,
    assert_refined,
    assert_refined_by,
    some_corrections,
    some_tilt_corrections,
)
from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.files.star import read_star
from tomodrgn.core.interfaces import PoseWriter, ReaderContext
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

SMALL: dict[str, Any] = {
    "n_particles": 6, "n_tomograms": 2, "n_tilts": 5, "min_tilts": 3, "missing_fraction": 0.2,
    "box_size_px": 16, "pixel_size_a": 12.0, "origin_shift_px": 1.0, "snr": None, "n_classes": 1,
    "tilt_axis_deg": 84.0,
}  # fmt: skip
FLAVOURS: dict[str, dict[str, Any]] = {
    "warp": {"format": "warp"},
    "nextpyp": {"format": "nextpyp"},
    "warptools": {"format": "warptools"},
    "warptools since 2026": {"format": "warptools", "size_convention": "binned"},
    "relion5": {"format": "relion5"},
    "relion5 with priors": {"format": "relion5", "subtomogram_priors": True},
    "relion5 that drifts": {"format": "relion5", "trajectories_a": 20.0},
    "relion4": {"format": "relion4"},
    "relion4 with priors": {"format": "relion4", "subtomogram_priors": True},
}
REAL = {
    "cryosrpnt": "10076/10076_classE_32_sim.star",
    "warptools": "warptools/warptools_test_4-tomos_10-ptcls_box-32_angpix-12_optimisation_set.star",
}
_REAL_DATA = os.environ.get("TOMODRGN_TEST_DATA")


def reader_of(path: Path) -> Any:
    registry = builtin_registry()
    decoder = {"kind": "linear_volumes"}
    spec = registry.parse({"reader": {"kind": "auto", "path": path}, "decoder": decoder}).reader
    return registry.build(spec, ReaderContext(needs_images=False))


def refine_and_read(path: Path, out: Path) -> None:
    """Write known corrections, pass the files through another program, and read them again."""
    starfile = pytest.importorskip("starfile")
    reader = reader_of(path)
    assert isinstance(reader, PoseWriter)
    particles = reader.read()
    found = some_corrections(particles).after(some_tilt_corrections(particles))
    written = reader.write_poses(particles, found, out)
    again = reader_of(out).read()
    assert_refined(again, found.of(particles))
    assert_refined_by(again, found)
    particles_file = read_star(path).value_of("rlnTomoParticlesFile")
    if particles_file is None:
        assert_other_columns_stay(path, out, written.changed)
    else:
        assert_other_columns_stay(path.with_name(particles_file), written.files[1], written.changed)
    for file in written.files:  # as another program would carry them along
        tables = starfile.read(file, always_dict=True, parse_as_string=_NAMES)
        starfile.write(tables, file, overwrite=True)
    passed = reader_of(out).read()
    np.testing.assert_allclose(passed.images.rotation, again.images.rotation, atol=1e-6)
    np.testing.assert_allclose(passed.images.shift_px, again.images.shift_px, atol=1e-4)


_NAMES = ["rlnTomoName", "rlnGroupName", "rlnGroupNumber"]


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS)
def test_simulated_sets(flavour: dict[str, Any], tmp_path: Path) -> None:
    path = simulate(SimulationSpec(outdir=tmp_path / "set", **SMALL, **flavour))
    refine_and_read(path, tmp_path / "refined" / "refined.star")


@pytest.mark.skipif(_REAL_DATA is None, reason="TOMODRGN_TEST_DATA is not set")
@pytest.mark.parametrize("name", REAL.values(), ids=REAL)
def test_real_sets(name: str, tmp_path: Path) -> None:
    refine_and_read(Path(str(_REAL_DATA)) / name, tmp_path / "refined.star")
