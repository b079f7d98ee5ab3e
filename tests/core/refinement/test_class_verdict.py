"""Classes of one structure whose places are wrong are no structure, and classes of two are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.core.linear.class_sets import ClassSet, class_set
from tomodrgn.core.data.refining import errors_of, verdict_of_classes
from tomodrgn.core.linear.classes import ClassFit, first_halves, fit_classes
from tomodrgn.core.linear.classes_starts import start_from_chance
from tomodrgn.core.linear.half_models import Halves
from tomodrgn.core.particles.corrections import no_corrections
from tomodrgn.core.refinement.class_verdict import ClassMaps, class_likelihood, judge_classes
from tomodrgn.core.refinement.steps import N_ERRORS, Widths

B = 60

torch.set_num_threads(1)


def _classes(given: ClassSet) -> ClassFit:
    halves = first_halves(given.images, given.rows, given.window_power)
    shares = start_from_chance(halves, given.keys, 2, 0)
    return fit_classes(halves, given.images, [shares], given.keys, lambda line: None)


@pytest.fixture(scope="module")
def wrong_places(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    """Identical particles in two groups, which lie half a pixel apart."""
    alike = class_set(tmp_path_factory.mktemp("alike"), n_particles=B, n_classes=1, snr=1.0)
    shift_px = np.random.default_rng(0).normal(0, 0.4, (B, 3))
    errors = replace(no_corrections(alike.images.particles), shift_px=shift_px)
    particles = replace(errors.of(alike.images.particles), corrections=None)
    return alike._replace(images=alike.images.of(particles))


def test_two_structures_are_told_apart(tmp_path_factory: pytest.TempPathFactory) -> None:
    given = class_set(tmp_path_factory.mktemp("two"), n_particles=B, n_classes=2, snr=1.0)
    fit = _classes(given)
    verdict = verdict_of_classes(fit, given.images, given.rows, given.window_power, None)
    assert verdict.is_heterogeneous(B)
    assert not verdict.is_explained_by_errors


def test_places_that_are_wrong_make_no_classes(wrong_places: ClassSet) -> None:
    given = wrong_places
    fit = _classes(given)
    verdict = verdict_of_classes(fit, given.images, given.rows, given.window_power, None)
    halves = Halves(given.images.to_radius(fit.radius_px), given.rows, given.window_power)
    models = fit.half_classes
    classes = ClassMaps(models.maps, models.precision, models.weights)
    nothing = torch.zeros(B, N_ERRORS, dtype=torch.float64)
    blind = judge_classes(halves, classes, Widths(0.0, 0.0, 0.0), nothing)
    assert blind.is_heterogeneous(B)  # what the verdict guards against
    assert verdict.gain[0] < 0.2 * blind.gain[0]
    assert verdict.share["shift"] > 0.8
    assert verdict.is_explained_by_errors


def test_errors_are_as_wide_as_those_that_were_mended_and_those_left(
    wrong_places: ClassSet,
) -> None:
    particles = wrong_places.images.particles
    mended = replace(no_corrections(particles), shift_px=np.full((B, 3), 2.0))
    images = wrong_places.images.of(replace(particles, corrections=mended))
    found, stated = errors_of(images, wrong_places.rows, wrong_places.window_power, None)
    left, _ = errors_of(wrong_places.images, wrong_places.rows, wrong_places.window_power, None)
    assert found.shift_px == pytest.approx(np.hypot(left.shift_px, 2.0))
    np.testing.assert_array_equal(stated[:, 1:4], -2.0)


def test_likelihood_of_a_class_is_that_of_its_errors_integrated_out() -> None:
    """A class is where its latent is 1; the integral over one error is done on a grid."""
    generator = torch.Generator().manual_seed(1)
    root = torch.randn(1, N_ERRORS + 2, 30, generator=generator, dtype=torch.float64)
    matrix, vector = root @ root.mT, torch.randn(1, N_ERRORS + 2, generator=generator).double()
    widths = Widths(0.3, 0.0, 0.0)
    stated = torch.zeros(1, N_ERRORS, dtype=torch.float64)
    stated[0, 0] = 0.2
    found = class_likelihood(matrix, vector, widths, stated)[0]
    grid = torch.linspace(-3, 3, 20001, dtype=torch.float64)
    prior = torch.exp(-0.5 * ((grid - 0.2) / 0.3).square())
    for c, place in enumerate([None, 7, 8]):
        exponent = vector[0, 0] * grid - matrix[0, 0, 0] * grid.square() / 2
        if place is not None:
            exponent += vector[0, place] - matrix[0, place, place] / 2 - matrix[0, 0, place] * grid
        expected = torch.log((prior * exponent.exp()).sum() / prior.sum())
        offset = 0.5 * (0.2 / 0.3) ** 2  # of the prior about what is stated, alike in all classes
        assert float(found[c]) == pytest.approx(float(expected) + offset, abs=1e-6)
