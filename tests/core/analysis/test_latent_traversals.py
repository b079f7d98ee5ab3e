from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.analysis import latent_traversals
from tomodrgn.core.analysis.latent_axes import principal_axes
from tomodrgn.core.analysis.latent_traversals import (
    PERCENTILES,
    count_within,
    nearest_particles,
    traversal,
    values_between,
)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent_traversals, "_ROWS", 17)


@pytest.fixture
def latents() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(101, 3)).astype(np.float32)


def test_a_traversal_splits_particles_at_its_percentiles(latents: np.ndarray) -> None:
    axes = principal_axes(latents)
    scores = axes.scores(latents)
    places = axes.scores(traversal(axes, 1, scores[:, 1]))
    below = (scores[:, 1] <= places[:, 1][:, None] + 1e-5).mean(axis=1)
    assert np.allclose(100 * below, PERCENTILES, atol=1.1)  # of 101 particles
    assert np.allclose(places[:, [0, 2]], 0, atol=1e-5)


def test_values_between_percentiles_are_evenly_spaced(latents: np.ndarray) -> None:
    values = values_between(latents[:, 0], (5, 95), 7)
    assert np.allclose(np.diff(values), np.diff(values)[0])
    assert np.allclose(values[[0, -1]], np.percentile(latents[:, 0], (5, 95)))


def test_a_particle_is_nearest_to_itself(latents: np.ndarray) -> None:
    rows = np.array([3, 99, 50])
    assert nearest_particles(latents, latents[rows]).tolist() == rows.tolist()


def test_nearest_particles_are_those_of_all_distances(latents: np.ndarray) -> None:
    places = np.random.default_rng(1).normal(size=(9, 3)).astype(np.float32)
    apart = np.linalg.norm(places[:, None] - latents, axis=2)
    assert np.array_equal(nearest_particles(latents, places), apart.argmin(axis=1))


def test_particles_within_a_distance_are_counted(latents: np.ndarray) -> None:
    places = latents[:4]
    apart = np.linalg.norm(places[:, None] - latents, axis=2)
    assert np.array_equal(count_within(latents, places, 1.0), (apart <= 1).sum(axis=1))
    assert count_within(latents, places, 100.0).tolist() == [101] * 4
