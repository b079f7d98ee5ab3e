from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.fourier.shells import fsc
from tomodrgn.core.simulation.coordinates import positions_a, stated_positions_a
from tomodrgn.core.simulation.experiment import JUNK, draw_experiment
from tomodrgn.core.simulation.forward import Simulation, design
from tomodrgn.core.simulation.structures import build_structure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.specs.simulation import SimulationSpec

    Alter = Callable[..., SimulationSpec]

FORMATS = ["warp", "nextpyp", "relion5"]


def _design(spec: SimulationSpec) -> Simulation:
    return design(spec, build_structure(spec))


@pytest.mark.parametrize("name", FORMATS)
def test_files_state_true_poses_unless_errors_are_asked_for(altered: Alter, name: str) -> None:
    simulation = _design(altered(format=name))
    experiment = simulation.experiment
    np.testing.assert_array_equal(experiment.stated.rotation, experiment.images.rotation)
    np.testing.assert_array_equal(experiment.stated.shift_px, experiment.images.shift_px)
    np.testing.assert_array_equal(stated_positions_a(simulation), positions_a(simulation))


@pytest.mark.parametrize("name", FORMATS)
def test_errors_change_what_is_stated_and_no_image(altered: Alter, name: str) -> None:
    plain = _design(altered(format=name))
    wrong = _design(altered(format=name, pose_error_deg=5.0, shift_error_px=1.0))
    rows = np.arange(10)
    np.testing.assert_array_equal(plain.clean_images(rows), wrong.clean_images(rows))
    assert not np.allclose(plain.experiment.stated.rotation, wrong.experiment.stated.rotation)
    moved_px = wrong.experiment.stated.shift_px - plain.experiment.stated.shift_px
    error_a = positions_a(wrong) - stated_positions_a(wrong)
    seen_a = np.einsum(
        "mij,mj->mi",
        wrong.experiment.acquisition.rotation[wrong.experiment.tilt],
        error_a[wrong.experiment.particle_of_image],
    )
    np.testing.assert_allclose(12.0 * moved_px, seen_a[:, :2], atol=1e-6)


def test_orientation_errors_have_the_size_asked_for(altered: Alter) -> None:
    experiment = draw_experiment(altered(n_particles=2000, pose_error_deg=3.0), 12.0)
    turn = np.swapaxes(experiment.orientation, 1, 2) @ experiment.stated.orientation
    angle_deg = np.rad2deg(np.arccos((np.trace(turn, axis1=1, axis2=2) - 1) / 2))
    assert np.sqrt((angle_deg**2).mean() / 3) == pytest.approx(3.0, rel=0.05)  # of three axes


@pytest.mark.parametrize("junk", ["noise", "scrambled"])
def test_junk_is_labelled_and_leaves_the_proportions_of_classes(altered: Alter, junk: str) -> None:
    spec = altered(n_particles=50, junk_fraction=0.2, class_weights=(2, 1, 1), junk=junk)
    labels = draw_experiment(spec, 12.0).labels
    assert [int((labels == label).sum()) for label in (JUNK, 0, 1, 2)] == [10, 20, 10, 10]


def test_images_of_junk_hold_noise_alone_and_others_are_as_without_it(altered: Alter) -> None:
    simulation = _design(altered(junk_fraction=0.25))
    is_junk = (simulation.experiment.labels == JUNK)[simulation.experiment.particle_of_image]
    images = simulation.clean_images(np.arange(len(is_junk)))
    assert not images[is_junk].any()
    assert all(image.any() for image in images[~is_junk])


def test_scrambled_junk_shows_the_molecule_where_no_pose_explains_it(altered: Alter) -> None:
    experiment = draw_experiment(altered(junk_fraction=0.25, junk="scrambled"), 12.0)
    is_junk = (experiment.labels == JUNK)[experiment.particle_of_image]
    same = np.isclose(experiment.stated.rotation, experiment.images.rotation).all((1, 2))
    np.testing.assert_array_equal(same, ~is_junk)


def test_a_rare_state_has_exactly_its_share(altered: Alter) -> None:
    spec = altered(n_particles=400, n_classes=2, class_weights=(0.95, 0.05))
    assert np.bincount(draw_experiment(spec, 12.0).labels).tolist() == [380, 20]


def test_preferred_views_lie_near_the_beam_and_leave_the_others(altered: Alter) -> None:
    plain, some = (draw_experiment(altered(n_particles=2000, n_tilts=1, preferred_views=f), 12.0)
                   for f in (0.0, 0.4))  # fmt: skip
    is_same = np.isclose(plain.orientation, some.orientation).all((1, 2))
    assert is_same.mean() == pytest.approx(0.6, abs=0.04)
    axis = some.orientation[~is_same, :, 2]
    off_deg = np.rad2deg(np.arccos(axis[:, 2]))
    assert np.sqrt((off_deg**2).mean() / 2) == pytest.approx(15, rel=0.06)  # of two axes
    spin = some.orientation[~is_same, 0, :2]
    assert np.linalg.norm(spin.mean(0)) < 0.08  # every direction: 1 / sqrt(800)


def test_another_species_has_its_share_and_is_the_last_class(altered: Alter) -> None:
    spec = altered(n_particles=50, junk_fraction=0.2, species_fraction=0.1, n_classes=2)
    labels = draw_experiment(spec, 12.0).labels
    assert [int((labels == label).sum()) for label in (JUNK, 0, 1, 2)] == [10, 18, 17, 5]
    simulation = _design(altered(species_fraction=0.5, n_classes=2, motion="hinge"))
    maps = simulation.true_maps()
    assert len(maps) == 3
    other = np.flatnonzero(simulation.experiment.labels == 2)
    np.testing.assert_allclose(simulation.true_volumes(other[:1])[0], maps[2], atol=1e-5)
    shells = fsc(maps[2], maps[0])[4:8]
    assert np.abs(shells).max() < 0.6
