"""Errors of poses are not called structure, structure is, and few particles are heard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.core.linear.class_sets import ClassSet, class_set
from tomodrgn.core.linear.fit import fit_linear
from tomodrgn.core.linear.half_models import Halves
from tomodrgn.core.particles.corrections import no_corrections
from tomodrgn.core.particles.keyed_random import keyed_normal
from tomodrgn.core.refinement.moves import errors_back
from tomodrgn.core.refinement.rounds import width_of_errors
from tomodrgn.core.refinement.steps import Widths
from tomodrgn.core.refinement.verdict import Verdict, explained, judge

B = 60

torch.set_num_threads(1)


def _verdict(given: ClassSet, widths: Widths | None = None) -> Verdict:
    """Of poses as they are, whatever is wrong with them."""
    fit = fit_linear(
        given.images,
        given.rows,
        keyed_normal(0, "linear start", 0, given.keys, 3),
        n_latents=1,
        window_power=given.window_power,
        report=lambda line: None,
    )
    if widths is None:
        widths = width_of_errors(given.images, given.rows, given.window_power)
    halves = Halves(given.images.to_radius(fit.radius_px), given.rows, given.window_power)
    nothing = errors_back(no_corrections(given.images.particles))
    return judge(halves, fit.half_models, widths, nothing)


@pytest.fixture(scope="module")
def wrong_places(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    """Identical particles whose places are wrong by less than half a pixel."""
    alike = class_set(tmp_path_factory.mktemp("alike"), n_particles=B, n_classes=1, snr=1.0)
    rng = np.random.default_rng(0)
    particles = alike.images.particles
    errors = replace(no_corrections(particles), shift_px=rng.normal(0, 0.4, (B, 3)))
    return alike._replace(images=alike.images.of(replace(errors.of(particles), corrections=None)))


def test_classes_are_structure(tmp_path_factory: pytest.TempPathFactory) -> None:
    given = class_set(tmp_path_factory.mktemp("two"), n_particles=B, n_classes=2, snr=1.0)
    verdict = _verdict(given)
    assert verdict.is_heterogeneous(B)
    assert verdict.share["errors"] < 0.3


def test_wrong_places_look_like_structure_to_a_model_without_errors(
    wrong_places: ClassSet,
) -> None:
    verdict = _verdict(wrong_places, Widths(0.0, 0.0, 0.0))
    assert verdict.is_heterogeneous(B)  # what the verdict guards against


def test_wrong_places_are_not_structure(wrong_places: ClassSet) -> None:
    verdict = _verdict(wrong_places)
    assert verdict.gain[0] < 0.2 * _verdict(wrong_places, Widths(0.0, 0.0, 0.0)).gain[0]
    assert verdict.share["shift"] > 0.8
    assert verdict.is_explained_by_errors


def test_latents_within_the_span_of_errors_are_explained_by_them() -> None:
    """However noisy the maps are by which either half has them."""
    rng = torch.Generator().manual_seed(2)
    root = torch.randn(7, 12, generator=rng, dtype=torch.float64)
    mixture = torch.zeros(1, 7, dtype=torch.float64)
    mixture[0, 1:4] = torch.tensor([1.0, -2.0, 0.5])
    latent = mixture @ root
    beside = torch.linalg.qr(torch.cat([root, torch.randn(2, 12, generator=rng)]).T)[0].T[7:9]
    noise = 3 * beside.double()  # not in the span of errors, nor alike in both halves
    rows = torch.cat([root, latent + noise[:1], latent + noise[1:]])
    share = explained(rows @ rows.T, 7)
    assert share["shift"] == pytest.approx(1, abs=1e-6)
    assert share["errors"] == pytest.approx(1, abs=1e-6)
    assert share["contrast"] < 1
    assert set(share) == {"contrast", "shift", "rotation", "errors"}


def test_what_halves_do_not_share_is_explained_by_nothing() -> None:
    rows = torch.eye(9, dtype=torch.float64)
    assert set(explained(rows, 7).values()) == {0.0}
