"""refine_poses: the input comes back in its own format, nearer to the truth, and is not refined
twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tomodrgn.core.commands import resolve
from tomodrgn.core.data.dataset import Dataset
from tomodrgn.core.errors import DataError
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.particles.corrections_file import read_corrections
from tomodrgn.core.registry import Registry
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.refine_poses.command import refine_poses
from tomodrgn.plugins.commands.refine_poses.page import PoseFinding
from tomodrgn.plugins.commands.refine_poses.spec import PosesSpec

ERROR_DEG = 6.0


def refine(registry: Registry, path: Path, out: Path, **sections: Any) -> PoseFinding:
    reader = {"path": str(path), "datadir": str(path.parent)}
    layers = {"outdir": out, "reader": reader, "seed": 1, **sections}
    request = resolve(registry.command("refine_poses"), layers, registry=registry)
    assert isinstance(request.spec, PosesSpec)
    assert request.run_spec is not None
    return refine_poses(Dataset(request.run_spec, registry), request.spec)


def particles_of(registry: Registry, path: Path) -> Any:
    layers = {"reader": {"path": str(path)}, "outdir": path.parent / "nowhere"}
    request = resolve(registry.command("refine_poses"), layers, registry=registry)
    assert request.run_spec is not None
    return registry.build(request.run_spec.reader, ReaderContext(needs_images=False)).read()


def error_deg(found: np.ndarray, truth: np.ndarray) -> float:
    """Of orientations, rms, once one rotation of all is taken away."""
    turned = found.mT @ truth
    mean = Rotation.from_matrix(turned).mean().as_matrix()
    angles = Rotation.from_matrix(turned @ mean.T).magnitude()
    return float(np.rad2deg(np.sqrt((angles**2).mean())))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One structure, poses off by some degrees."""
    spec = SimulationSpec(
        outdir=tmp_path_factory.mktemp("set"), format="relion5", n_particles=30, n_classes=1,
        n_tomograms=1, box_size_px=16, pixel_size_a=16.0, n_tilts=7, snr=2.0,
        pose_error_deg=ERROR_DEG, seed=3,
    )  # fmt: skip
    return simulate(spec)


def test_poses_come_back_nearer_to_the_truth_and_are_not_refined_twice(
    simulated: Path, registry: Registry, tmp_path: Path
) -> None:
    finding = refine(registry, simulated, tmp_path / "out")
    stated = particles_of(registry, simulated)
    refined = particles_of(registry, tmp_path / "out" / "refined.star")
    truth = np.load(simulated.parent / "orientations.npy")
    assert error_deg(stated.orientation, truth) > ERROR_DEG
    assert error_deg(refined.orientation, truth) < 0.5 * ERROR_DEG
    written = read_corrections(tmp_path / "out", stated)
    np.testing.assert_allclose(refined.corrections.rotation, written.rotation, atol=1e-6)
    values = json.loads((tmp_path / "out" / "refine_poses.json").read_text())
    assert values["is_refined"]
    assert values["errors"]["turn_deg"] == pytest.approx(ERROR_DEG, rel=0.5)
    assert "Poses were refined" in finding.page()
    assert Path(finding.files[0]) == tmp_path / "out" / "refined.star"


def test_too_few_particles_are_refused(simulated: Path, registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="refinement of poses needs 8 in each"):
        refine(registry, simulated, tmp_path / "out", dataset={"use_first_nptcls": 5})
