"""Amplitudes are those of the truth, with the errors that are stated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.core.linear.class_sets import ClassSet, class_set
from tomodrgn.core.linear.half_models import Halves
from tomodrgn.core.outliers.found import Outliers, find_outliers
from tomodrgn.core.outliers.goodness import Goodness, goodness
from tomodrgn.core.particles.corrections import no_corrections
from tomodrgn.core.particles.exposures import distinct_exposures
from tomodrgn.core.refinement.moves import errors_back
from tomodrgn.core.refinement.steps import Widths

B = 60

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    """One structure, and every fifth particle noise."""
    folder = tmp_path_factory.mktemp("junk")
    return class_set(folder, n_particles=B, n_classes=1, snr=0.5, junk_fraction=0.2)


@pytest.fixture(scope="module")
def found(given: ClassSet) -> Goodness:
    return _goodness(given)


def _goodness(given: ClassSet) -> Goodness:
    halves = Halves(given.images.to_radius(6), given.rows, given.window_power)
    maps, precision, _ = halves.mean_maps()
    stated = errors_back(no_corrections(given.images.particles))
    return goodness(halves, maps, precision, Widths(0.0, 0.0, 0.0), stated)


def test_noise_has_no_amplitude_within_its_error(given: ClassSet, found: Goodness) -> None:
    z = (found.amplitude / found.error)[given.labels < 0]
    assert np.sqrt(np.mean(z**2)) == pytest.approx(1, abs=0.5)  # 12 numbers


def test_particles_have_one_amplitude(given: ClassSet, found: Goodness) -> None:
    amplitude = found.amplitude[given.labels >= 0]
    assert np.std(amplitude) < 0.1 * np.mean(amplitude)  # errors of the map of 24 particles, too


def test_noise_is_told_from_particles(given: ClassSet, found: Goodness) -> None:
    assert np.array_equal(find_outliers(found).is_junk, given.labels < 0)


def test_what_is_left_is_compared_with_others(found: Goodness) -> None:
    assert abs(np.median(found.residual)) < 0.5  # 0 but for the numbers of tilt images


def test_exposures_show_their_particles(found: Goodness) -> None:
    outliers = find_outliers(found)
    assert not (outliers.tilt_probability > 0.5).any()


def test_an_exposure_that_moved_shows_nothing(given: ClassSet) -> None:
    particles = given.images.particles
    exposure = distinct_exposures(particles)[1]
    bad = int(np.bincount(exposure).argmax())
    shift_px = np.zeros((particles.n_images, 2))
    shift_px[exposure == bad] = 7.0
    moved = replace(no_corrections(particles), tilt_shift_px=shift_px).of(particles)
    images = given.images.of(replace(moved, corrections=None))
    outliers = find_outliers(_goodness(given._replace(images=images)))
    assert np.flatnonzero(outliers.tilt_probability > 0.5).tolist() == [bad]
    assert f"1 of {exposure.max() + 1} exposures show nothing" in outliers.lines("a.star")[-1]


def test_weights_of_outliers(found: Goodness) -> None:
    outliers: Outliers = find_outliers(found)
    assert outliers.weights("report") is None
    excluded, weighted = outliers.weights("exclude"), outliers.weights("weight")
    assert excluded is not None
    assert weighted is not None
    assert np.array_equal(excluded == 0, outliers.is_junk)
    np.testing.assert_allclose(weighted, 1 - outliers.probability)
