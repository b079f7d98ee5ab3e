"""Wrong poses of a simulation reach whoever reads its files, in every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.cli.fields import builtin_registry
from tomodrgn.core.commands import resolve_run
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.simulation.coordinates import stated_positions_a
from tomodrgn.core.simulation.forward import design
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["warp", "nextpyp", "warptools", "relion5", "relion4"])
def test_readers_read_the_poses_that_are_stated(tmp_path: Path, name: str) -> None:
    spec = SimulationSpec(
        outdir=tmp_path,
        format=name,
        n_particles=5,
        n_tomograms=2,
        box_size_px=8,
        n_tilts=5,
        pose_error_deg=5.0,
        shift_error_px=1.0,
        origin_shift_px=1.0,
    )
    registry = builtin_registry()
    run = resolve_run("prepare", {"reader": {"path": str(simulate(spec))}}, registry=registry)
    particles = registry.build(run.reader, ReaderContext(needs_images=False)).read()
    simulation = design(spec, build_structure(spec))
    stated = simulation.experiment.stated
    # angles are written to 1e-6 degrees, matrices to nine digits, shifts to 1e-5 A
    np.testing.assert_allclose(particles.images.rotation, stated.rotation, atol=1e-5)
    np.testing.assert_allclose(particles.images.shift_px, stated.shift_px, atol=1e-4)
    if particles.position_a is not None and spec.writes_set:
        np.testing.assert_allclose(particles.position_a, stated_positions_a(simulation), atol=1e-2)
