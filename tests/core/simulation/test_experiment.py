from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.simulation.acquisition import tilt_angles_deg
from tomodrgn.core.simulation.experiment import Experiment, draw_experiment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.specs.simulation import SimulationSpec

    Alter = Callable[..., SimulationSpec]

PIXEL_SIZE_A = 12.0


def _draw(spec: SimulationSpec) -> Experiment:
    return draw_experiment(spec, PIXEL_SIZE_A)


def test_a_dose_symmetric_series_alternates_between_the_sides() -> None:
    angles = tilt_angles_deg(7, 3.0, "dose_symmetric")
    assert angles.tolist() == [0, 3, -3, -6, 6, 9, -9]  # Hagen et al. 2017


def test_a_bidirectional_series_takes_one_side_after_the_other() -> None:
    assert tilt_angles_deg(5, 2.0, "bidirectional").tolist() == [0, 2, 4, -2, -4]


@pytest.mark.parametrize("scheme", ["dose_symmetric", "bidirectional", "unidirectional"])
@pytest.mark.parametrize("n_tilts", [1, 2, 8, 41])
def test_every_scheme_visits_the_same_angles(scheme: str, n_tilts: int) -> None:
    expected = tilt_angles_deg(n_tilts, 3.0, "unidirectional")
    np.testing.assert_array_equal(np.sort(tilt_angles_deg(n_tilts, 3.0, scheme)), expected)


def test_dose_counts_exposures_whether_or_not_their_images_are_there(altered: Alter) -> None:
    experiment = _draw(altered(missing_fraction=0.5, dose_per_tilt_e_per_a2=2.0))
    np.testing.assert_allclose(experiment.images.dose_e_per_a2, 2.0 * (experiment.tilt + 1))


def test_every_particle_keeps_an_image(altered: Alter) -> None:
    counts = _draw(altered(missing_fraction=0.95, n_particles=50)).counts
    assert counts.min() == 1
    assert counts.sum() < 100


def test_tilt_counts_vary_between_tomograms_only(altered: Alter) -> None:
    experiment = _draw(altered(n_tomograms=6, min_tilts=2))
    ranges = [np.unique(experiment.counts[experiment.tomogram == t]) for t in range(6)]
    assert all(len(counts) == 1 for counts in ranges)
    assert len(np.unique(experiment.counts)) > 1
    assert experiment.counts.min() >= 2


def test_classes_have_the_sizes_asked_for(altered: Alter) -> None:
    labels = _draw(altered(n_particles=40, class_weights=(1, 2, 5))).labels
    assert np.bincount(labels).tolist() == [5, 10, 25]


def test_changing_one_option_leaves_the_other_draws_alone(altered: Alter) -> None:
    plain, other = (
        _draw(altered(motion=motion, defocus_um=defocus, missing_fraction=0.0))
        for motion, defocus in [("none", (2.0, 3.0)), ("hinge", (1.0, 5.0))]
    )
    np.testing.assert_array_equal(plain.orientation, other.orientation)
    np.testing.assert_array_equal(plain.labels, other.labels)
    assert plain.images.ctf is not None
    assert other.images.ctf is not None
    assert not np.allclose(plain.images.ctf.defocus_u_a, other.images.ctf.defocus_u_a)


def test_stage_tilts_turn_particles_about_the_y_axis(small_spec: SimulationSpec) -> None:
    experiment = _draw(small_spec)
    orientation = experiment.orientation[experiment.particle_of_image]
    np.testing.assert_allclose(experiment.images.rotation[:, 1], orientation[:, 1], atol=1e-12)
    untilted = experiment.images.tilt_deg == 0
    np.testing.assert_allclose(
        experiment.images.rotation[untilted], orientation[untilted], atol=1e-12
    )


def test_the_tilt_axis_turns_in_the_plane_of_the_images(altered: Alter) -> None:
    along_y, turned = (_draw(altered(tilt_axis_deg=axis)) for axis in (0.0, 90.0))
    quarter_turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(
        turned.images.rotation, quarter_turn @ along_y.images.rotation, atol=1e-12
    )
    np.testing.assert_allclose(turned.seen_a, along_y.seen_a @ quarter_turn.T, atol=1e-9)


def test_height_adds_to_defocus_with_the_sign_asked_for(altered: Alter) -> None:
    plus, minus = (_draw(altered(defocus_sign=sign)) for sign in ("plus", "minus"))
    assert plus.images.ctf is not None
    assert minus.images.ctf is not None
    found = plus.images.ctf.defocus_u_a - minus.images.ctf.defocus_u_a
    np.testing.assert_allclose(found, 2 * plus.seen_a[:, 2], atol=1e-9)


def test_particles_fill_their_field(altered: Alter) -> None:
    place_a = _draw(altered(n_particles=500, field_a=(100.0, 200.0, 6000.0))).place_a
    np.testing.assert_allclose(np.ptp(place_a, axis=0), [100, 200, 6000], rtol=0.05)
    np.testing.assert_allclose(np.abs(place_a).max(axis=0), [50, 100, 3000], rtol=0.05)


def test_the_phase_shift_grows_with_acquisition(altered: Alter) -> None:
    drawn = _draw(altered(phase_shift_deg=30.0, phase_shift_drift_deg=40.0))
    assert drawn.images.ctf is not None
    np.testing.assert_allclose(drawn.images.ctf.phase_shift_deg, 30 + 10 * drawn.tilt)


def test_particles_of_a_set_have_one_origin_in_space(altered: Alter) -> None:
    drawn = _draw(altered(format="relion5", origin_shift_px=3.0))
    assert np.abs(drawn.origin_a).max() < 3 * PIXEL_SIZE_A
    untilted = drawn.tilt == 0
    shifts_a = drawn.images.shift_px[untilted] * PIXEL_SIZE_A
    np.testing.assert_allclose(shifts_a, drawn.origin_a[:, :2], atol=1e-9)


def test_images_of_a_drifting_particle_move_with_it(altered: Alter) -> None:
    still, moving = (
        _draw(altered(format="relion5", trajectories_a=drift)) for drift in (0.0, 20.0)
    )
    moved_px = moving.images.shift_px - still.images.shift_px
    seen_px = (moving.seen_a - still.seen_a)[:, :2] / PIXEL_SIZE_A
    np.testing.assert_allclose(moved_px, -seen_px, atol=1e-9)
    assert np.abs(moved_px[moving.tilt == 0]).max() < 1e-12
    assert np.abs(moved_px).max() > 1


def test_tilts_run_about_the_center_asked_for(altered: Alter) -> None:
    level, cut = (_draw(altered(tilt_center_deg=deg)) for deg in (0.0, 12.0))
    np.testing.assert_allclose(cut.images.tilt_deg, level.images.tilt_deg + 12)
    np.testing.assert_array_equal(cut.orientation, level.orientation)
