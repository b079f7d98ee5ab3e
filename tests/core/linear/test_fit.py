"""A linear model of tilt series: what differs is found, and nothing where nothing does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from tests.core.linear.class_sets import ClassSet, class_set
from tomodrgn.core.linear import fit as fitting
from tomodrgn.core.linear.fit import (
    MOST_LATENTS,
    SPARE_LATENTS,
    HeldOut,
    LinearFit,
    fit_linear,
    widen_linear,
)
from tomodrgn.core.particles.keyed_random import keyed_normal

B = 60

torch.set_num_threads(1)


def _fit(given: ClassSet, n_latents: int | None, seed: int = 0) -> LinearFit:
    n_searched = (n_latents or MOST_LATENTS) + SPARE_LATENTS
    return fit_linear(
        given.images,
        given.rows,
        keyed_normal(seed, "linear start", 0, given.keys, n_searched),
        n_latents=n_latents,
        window_power=given.window_power,
        report=lambda line: None,
    )


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    """Three classes of twenty particles."""
    return class_set(tmp_path_factory.mktemp("three"), n_particles=B, n_classes=3, snr=1.0)


@pytest.fixture(scope="module")
def fit(three: ClassSet) -> LinearFit:
    return _fit(three, 2)


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    """Sixty particles of one structure."""
    return class_set(tmp_path_factory.mktemp("alike"), n_particles=B, n_classes=1, snr=0.5)


def test_classes_are_apart_in_the_latents(three: ClassSet, fit: LinearFit) -> None:
    labels = KMeans(3, n_init=10, random_state=0).fit_predict(fit.latents.mean.numpy())
    assert adjusted_rand_score(three.labels, labels) >= 0.9
    assert fit.is_heterogeneous


def test_two_latents_tell_three_classes_and_are_found(three: ClassSet) -> None:
    assert len(_fit(three, None).maps) == 1 + 2


@pytest.mark.parametrize("seed", [0, 1])
def test_particles_that_are_alike_are_said_to_be(alike: ClassSet, seed: int) -> None:
    assert not _fit(alike, 1, seed).is_heterogeneous


def test_the_same_start_gives_the_same_latents(three: ClassSet, fit: LinearFit) -> None:
    again = _fit(three, 2)
    assert torch.equal(again.latents.mean, fit.latents.mean)
    assert torch.equal(again.maps, fit.maps)


def test_the_start_matters_little(three: ClassSet, fit: LinearFit) -> None:
    other = _fit(three, 2, seed=1)
    one, two = (
        torch.pdist(each.latents.mean.double()).numpy() for each in (fit, other)
    )  # whatever the axes
    assert np.corrcoef(one, two)[0, 1] > 0.98


def test_latents_are_in_units_of_what_is_not_known_of_them(fit: LinearFit) -> None:
    doubt = fit.latents.covariance.mean(0)
    spread = fit.latents.mean.std(0)
    assert bool((fit.latents.mean.mean(0).abs() < 0.2 * spread).all())
    torch.testing.assert_close(doubt, torch.eye(2), atol=1e-3, rtol=0)


def test_everything_has_the_size_that_was_asked_for(fit: LinearFit) -> None:
    assert fit.maps.shape == (3, 16, 16, 16)
    assert fit.half_maps.shape == (2, 16, 16, 16)
    assert fit.latents.covariance.shape == (B, 2, 2)
    assert fit.fsc.shape == (3, 9)
    assert len(fit.held_out.gain) == 2
    assert 6 <= fit.radius_px <= 8


def test_covariances_are_positive_and_narrower_than_the_population(fit: LinearFit) -> None:
    assert float(torch.linalg.eigvalsh(fit.latents.covariance).min()) > 0
    left = fit.latents.moments().mean(0) - fit.latents.covariance
    assert float(torch.linalg.eigvalsh(left).min()) > 0


def _n_useful(z: tuple[float, ...], increment_z: tuple[float, ...]) -> int:
    return HeldOut(gain=z, z=z, increment_z=increment_z).n_useful(2.5)


def test_latents_count_up_to_the_last_that_adds_something() -> None:
    assert _n_useful((5.0, 5.1, 6.0, 6.0), (5.0, 1.0, 4.0, 0.3)) == 3
    assert _n_useful((1.0, 0.1), (1.0, -2.0)) == 0


@pytest.mark.parametrize(
    ("gain", "n_useful"),
    [((0.5,), 1), ((0.5, 0.503, 0.504), 2), ((0.5, 0.502), 1), ((0.5, 0.4), 1), ((-0.1, -0.2), 0)],
)
def test_a_latent_adds_half_a_percent_or_nothing(gain: tuple[float, ...], n_useful: int) -> None:
    sure = (9.0,) * len(gain)
    assert HeldOut(gain=gain, z=sure, increment_z=sure).n_useful(2.5) == n_useful


@pytest.mark.parametrize(("least_z", "n_useful"), [(2.99, 2), (3.0, 1), (3.99, 1), (4.0, 0)])
def test_both_the_gain_and_what_a_latent_adds_must_be_steady(least_z: float, n_useful: int) -> None:
    found = HeldOut(gain=(1.0, 2.0), z=(4.0, 5.0), increment_z=(4.5, 3.0))
    assert found.n_useful(least_z) == n_useful


def test_a_latent_that_makes_up_for_another_adds_nothing() -> None:
    assert _n_useful((-4.0, 0.5), (-4.0, 5.0)) == 0


@pytest.mark.parametrize(
    ("before", "after", "is_settled"),
    [
        (100.0, 100.49, True),  # half a percent
        (100.0, 100.6, False),
        (0.0, 0.0049, True),  # or of one, if that is more
        (0.1, 0.1051, False),
        (-100.49, -100.0, True),
    ],
)
def test_rounds_end_when_half_a_percent_is_won(
    before: float, after: float, is_settled: bool
) -> None:
    assert fitting._is_settled(before, after) is is_settled


def test_a_model_that_lacks_a_latent_is_given_it(three: ClassSet) -> None:
    start = keyed_normal(0, "further latents", 0, three.keys, 6)
    options = {"window_power": three.window_power, "report": lambda line: None}
    narrow = _fit(three, 1)
    wide = widen_linear(narrow, three.images, three.rows, start, **options)
    assert len(wide.maps) == 1 + 2
    assert wide.held_out.gain[-1] > narrow.held_out.gain[-1]


def test_a_model_that_lacks_nothing_stays_as_it_is(alike: ClassSet) -> None:
    start = keyed_normal(0, "further latents", 0, alike.keys, 6)
    known = _fit(alike, 1)
    options = {"window_power": alike.window_power, "report": lambda line: None}
    assert widen_linear(known, alike.images, alike.rows, start, **options) is known
