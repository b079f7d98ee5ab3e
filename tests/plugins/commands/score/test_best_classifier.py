"""The classifier that knows all but the class: what it subtracts leaves noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.simulation.forward import design
from tomodrgn.core.simulation.noise import noise_power
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.specs.simulation import SimulationSpec
from tomodrgn.plugins.commands.score.best_classifier import most_likely_classes, particles_alone

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {"n_particles": 40, "n_tomograms": 2, "n_tilts": 5, "box_size_px": 16, "pixel_size_a": 12.0}
FLAWS = {
    "none": {},
    "poses": {"pose_error_deg": 20.0, "shift_error_px": 3.0, "tilt_shift_px": 2.0},
    "contrast": {"contrast_particle_log_std": 0.5, "contrast_tilt_log_std": 0.5},
    "gain": {"gain_tomogram_log_std": 1.0},
    "surroundings": {"neighbors": 2.0, "membrane": 0.5, "ice_gradient": 2.0, "stripes": 2.0},
    "color": {"noise_color": 1.0},
    "defocus": {"tilt_defocus_error_um": 1.0},
}


@pytest.mark.parametrize("flaws", FLAWS.values(), ids=FLAWS)
def test_what_it_expects_differs_from_images_by_noise_alone(
    flaws: dict[str, float], tmp_path: Path
) -> None:
    spec = SimulationSpec(outdir=tmp_path, snr=1.0, **SMALL, **flaws)
    simulation = design(spec, build_structure(spec))
    ((block, images),) = simulation.record()
    rows = np.arange(block.start, block.stop)
    noise = particles_alone(simulation, images, rows) - simulation.expected(rows)
    power = noise.abs().square().mean(0).numpy() / noise_power(simulation.disc, spec.noise_color)
    assert power.mean() == pytest.approx(16**2, rel=0.03)  # 200 images of 96 coefficients
    assert power.min() > 0.6 * 16**2  # each of 200: 4 of 1 / sqrt(200) is 0.28


@pytest.mark.parametrize("flaws", FLAWS.values(), ids=FLAWS)
def test_it_is_right_where_noise_is_weak(flaws: dict[str, float], tmp_path: Path) -> None:
    spec = SimulationSpec(outdir=tmp_path, snr=2.0, **{**SMALL, "n_particles": 10}, **flaws)
    simulation = design(spec, build_structure(spec))
    labels = simulation.experiment.labels
    np.testing.assert_array_equal(most_likely_classes(simulation, 10), labels)
