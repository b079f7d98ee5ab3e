"""Refinement finds errors of poses that are there, and leaves right poses alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from tests.core.linear.class_sets import ClassSet, class_set
from tomodrgn.core.particles.corrections import Corrections, no_corrections
from tomodrgn.core.refinement.rounds import Refinement, refine_poses
from tomodrgn.core.refinement.steps import Widths
from tomodrgn.core.refinement.views import Work

B = 60
TURN_RAD = np.radians(6)
SHIFT_PX = 0.8

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    return class_set(tmp_path_factory.mktemp("alike"), n_particles=B, n_classes=1, snr=1.0)


@pytest.fixture(scope="module")
def wrong(alike: ClassSet) -> Corrections:
    rng = np.random.default_rng(0)
    return replace(
        no_corrections(alike.images.particles),
        rotation=Rotation.from_rotvec(rng.normal(0, TURN_RAD, (B, 3))).as_matrix(),
        shift_px=rng.normal(0, SHIFT_PX, (B, 3)),
    )


@pytest.fixture(scope="module")
def refined(alike: ClassSet, wrong: Corrections) -> Refinement:
    images = alike.images.of(replace(wrong.of(alike.images.particles), corrections=None))
    return refine_poses(images, alike.rows, alike.window_power, lambda line: None)


def _left(alike: ClassSet, found: Corrections) -> tuple[float, float]:
    """Rms error of turns (rad) and places (px) along an axis, in one frame for each half."""
    turns, shifts = [], []
    for half in alike.rows:
        turn = Rotation.from_matrix(found.rotation[half])
        frame = turn.mean().inv()
        turns.append((frame * turn).as_rotvec())
        moved = frame.apply(found.shift_px[half])
        shifts.append(moved - moved.mean(0))
    return tuple(float(np.sqrt(np.mean(np.concatenate(each) ** 2))) for each in (turns, shifts))


def test_wrong_poses_are_found(alike: ClassSet, wrong: Corrections, refined: Refinement) -> None:
    assert refined.is_used
    before = _left(alike, wrong)
    # images in wrong poses are `wrong` applied to right ones; what is left is both in turn
    after = _left(alike, refined.corrections.after(wrong))
    assert after[0] < 0.4 * before[0]
    assert after[1] < 0.4 * before[1]


def test_widths_of_wrong_poses_are_found(refined: Refinement) -> None:
    assert refined.widths.turn_rad == pytest.approx(TURN_RAD, rel=0.2)
    assert refined.widths.shift_px == pytest.approx(SHIFT_PX, rel=0.2)


def test_right_poses_are_left_alone(alike: ClassSet) -> None:
    found = refine_poses(alike.images, alike.rows, alike.window_power, lambda line: None)
    assert not any(found.widths.of_errors())
    np.testing.assert_allclose(found.corrections.shift_px, 0, atol=1e-6)
    np.testing.assert_allclose(found.corrections.rotation, np.tile(np.eye(3), (B, 1, 1)), atol=1e-6)


def test_premultiplied_images_do_not_diverge(tmp_path_factory: pytest.TempPathFactory) -> None:
    given = class_set(
        tmp_path_factory.mktemp("premultiplied"),
        n_particles=40,
        n_classes=1,
        snr=1.0,
        treatment="ctf_premultiplied",
    )
    rng = np.random.default_rng(1)
    errors = replace(
        no_corrections(given.images.particles),
        rotation=Rotation.from_rotvec(rng.normal(0, 0.07, (40, 3))).as_matrix(),
        shift_px=rng.normal(0, 0.7, (40, 3)),
    )
    images = given.images.of(replace(errors.of(given.images.particles), corrections=None))
    found = refine_poses(images, given.rows, given.window_power, lambda line: None)
    assert found.is_used
    assert found.widths.contrast < 0.5


def test_exposures_that_nothing_tells_apart_are_not_fitted(alike: ClassSet) -> None:
    particles = alike.images.particles
    table = replace(particles.images, dose_e_per_a2=np.ones(particles.n_images, np.float32))
    work = Work(alike.images.of(replace(particles, images=table)), alike.rows, 1.0)
    nothing = no_corrections(particles)
    assert work.n_exposures == particles.n_images
    found = work.tilt_widths(work.view(nothing, 4), nothing, Widths(0.1, 0.5, 0.05))
    assert not any(found.of_errors())
