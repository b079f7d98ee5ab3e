from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.analysis import latent_axes
from tomodrgn.core.analysis.latent_axes import principal_axes


@pytest.fixture
def latents() -> np.ndarray:
    draw = np.random.default_rng(0)
    return (draw.normal(size=(500, 4)) * [3, 2, 1, 0.1] @ draw.normal(size=(4, 4)) + 5).astype(
        np.float32
    )


def test_components_are_uncorrelated_and_keep_the_variance(latents: np.ndarray) -> None:
    axes = principal_axes(latents)
    covariance = np.cov(axes.scores(latents).T, dtype=np.float64)
    assert np.allclose(covariance, np.diag(np.diag(covariance)), atol=1e-5 * covariance[0, 0])
    assert np.trace(covariance) == pytest.approx(np.cov(latents.T).trace(), rel=1e-5)
    assert np.allclose(axes.shares, np.diag(covariance) / np.trace(covariance), atol=1e-5)


def test_shares_fall_and_add_up_to_one(latents: np.ndarray) -> None:
    shares = principal_axes(latents).shares
    assert (np.diff(shares) <= 0).all()
    assert shares.sum() == pytest.approx(1)


def test_a_place_along_an_axis_has_that_score_and_no_other(latents: np.ndarray) -> None:
    axes = principal_axes(latents)
    scores = axes.scores(axes.latents_at(1, np.array([-2.0, 0.5])))
    assert np.allclose(scores, [[0, -2, 0, 0], [0, 0.5, 0, 0]], atol=1e-5)


def test_order_of_particles_does_not_matter(latents: np.ndarray) -> None:
    one, other = principal_axes(latents), principal_axes(latents[::-1])
    assert np.allclose(one.directions, other.directions, atol=1e-6)


def test_many_particles_in_parts_are_the_same(
    latents: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = principal_axes(latents).scores(latents)
    monkeypatch.setattr(latent_axes, "_ROWS", 7)
    assert np.allclose(principal_axes(latents).scores(latents), whole, atol=1e-5)


def test_one_dimension_is_its_own_component() -> None:
    latents = np.array([[1.0], [2.0], [6.0]], np.float32)
    axes = principal_axes(latents)
    assert axes.shares.tolist() == [1.0]
    assert np.allclose(axes.scores(latents).ravel(), [-2, -1, 3])


def test_equal_latents_have_no_variance() -> None:
    assert principal_axes(np.ones((5, 3), np.float32)).shares.sum() == 0
