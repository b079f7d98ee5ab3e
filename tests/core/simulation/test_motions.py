from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import yaml

from tomodrgn.core.simulation.experiment import draw_experiment
from tomodrgn.core.simulation.forward import Simulation, design
from tomodrgn.core.simulation.maps import MapStructure
from tomodrgn.core.simulation.spread import variance_outside
from tomodrgn.core.simulation.structures import build_structure
from tomodrgn.core.simulation.tilt_series import simulate
from tomodrgn.core.simulation.truth import read_truth

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.specs.simulation import SimulationSpec

    Alter = Callable[..., SimulationSpec]


def _design(spec: SimulationSpec) -> Simulation:
    return design(spec, build_structure(spec))


def test_a_second_motion_leaves_the_draws_of_the_first_alone(altered: Alter) -> None:
    one, two = (draw_experiment(altered(motion=m), 12.0) for m in ("hinge", "hinge_twist"))
    np.testing.assert_array_equal(one.motion[:, 0], two.motion[:, 0])
    assert two.motion.shape == (12, 2)


def test_maps_of_a_linear_model_are_linear_in_its_coordinates(altered: Alter) -> None:
    simulation = _design(altered(motion="linear", linear_dim=3, n_classes=1, n_particles=20))
    maps = simulation.true_volumes(np.arange(20)).reshape(20, -1)
    z = simulation.experiment.motion
    basis = np.linalg.lstsq(z, maps - simulation.true_maps().reshape(1, -1), rcond=None)[0]
    rebuilt = simulation.true_maps().reshape(1, -1) + z @ basis
    np.testing.assert_allclose(rebuilt, maps, atol=1e-5 * np.abs(maps).max())  # float32 maps


def test_coordinates_of_a_linear_model_are_standard_normal(altered: Alter) -> None:
    z = draw_experiment(altered(motion="linear", n_particles=4000), 12.0).motion
    np.testing.assert_allclose(z.mean(0), 0, atol=0.06)  # 4 standard errors
    np.testing.assert_allclose(np.cov(z.T), np.eye(2), atol=0.09)


def test_nothing_of_a_linear_model_lies_outside_its_dimension(altered: Alter) -> None:
    outside = variance_outside(_design(altered(motion="linear", n_classes=1, n_particles=40)))
    assert outside[1] > 0.1
    assert outside[2] == pytest.approx(0, abs=1e-9)


def test_a_wider_swing_lies_further_outside_any_subspace(altered: Alter) -> None:
    ranges = [(-10, 10), (-30, 30), (-90, 90)]
    spread = [
        variance_outside(
            _design(altered(motion="hinge", motion_range_deg=swing, n_classes=1, n_particles=60))
        )
        for swing in ranges
    ]
    assert spread[0][2] < 0.02 < spread[1][2] < 0.15 < spread[2][2]
    assert all(sorted(each.values(), reverse=True) == list(each.values()) for each in spread)


def test_images_show_the_true_volumes_of_their_particles(altered: Alter) -> None:
    spec = altered(motion="hinge_twist", n_tilts=1, ctf=False, dose_per_tilt_e_per_a2=0.0)
    simulation = _design(spec)
    volumes = simulation.true_volumes(np.arange(12))
    maps = MapStructure(volumes, map_pixel_size_a=12.0, box_size_px=16, pixel_size_a=12.0)
    rotation = torch.from_numpy(simulation.experiment.images.rotation)
    inside = torch.from_numpy(simulation.disc.radius_px < 7)  # the map ends at its Nyquist limit
    found = maps.slices(torch.arange(12), torch.zeros(12, 0), rotation, simulation.disc)[:, inside]
    expected = simulation.expected(np.arange(12))[:, inside]
    assert (found - expected).norm() < 0.03 * expected.norm()  # trilinear interpolation


def test_the_truth_names_coordinates_and_keeps_them(altered: Alter) -> None:
    folder = simulate(altered(motion="hinge_twist")).parent
    facts = yaml.safe_load((folder / "truth.yaml").read_text())
    assert facts["motion_coordinates"] == ["hinge_deg", "twist_deg"]
    assert 0 < facts["variance_outside_subspace_of_dim"][2] < 1
    drawn = draw_experiment(altered(motion="hinge_twist"), 12.0).motion
    np.testing.assert_allclose(read_truth(folder).motion, drawn, atol=1e-6)  # digits of the file


def test_a_set_without_motion_has_no_file_of_it(small_spec: SimulationSpec) -> None:
    folder = simulate(small_spec).parent
    assert not (folder / "motion.txt").exists()
    assert read_truth(folder).motion.shape == (12, 0)
