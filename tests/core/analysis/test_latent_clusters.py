from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from tomodrgn.core.analysis import latent_clusters
from tomodrgn.core.analysis.latent_clusters import (
    LatentClusters,
    different_latents,
    gaussian_mixture,
    k_means,
)

Method = Callable[..., LatentClusters]
CENTRES = np.array([[0, 0, 0], [9, 0, 0], [9, 3, 0], [0, 9, 9]], np.float32)


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 4, 400)


@pytest.fixture
def latents(truth: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(2).normal(size=(400, 3)) * 0.3
    return (CENTRES[truth] + noise).astype(np.float32)


@pytest.fixture(params=[k_means, gaussian_mixture])
def method(request: pytest.FixtureRequest) -> Method:
    return request.param


def test_clusters_that_are_there_are_found(
    method: Method, latents: np.ndarray, truth: np.ndarray
) -> None:
    assert adjusted_rand_score(method(latents, 4, seed=0).labels, truth) == 1


def test_centres_are_particles_of_their_clusters(method: Method, latents: np.ndarray) -> None:
    found = method(latents, 4, seed=0)
    assert found.labels[found.centre_particles].tolist() == [0, 1, 2, 3]
    assert found.sizes.sum() == 400


def test_close_clusters_have_adjacent_numbers(method: Method, latents: np.ndarray) -> None:
    found = method(latents, 4, seed=0)
    middles = np.rint(latents[found.centre_particles])
    place = {tuple(middle): number for number, middle in enumerate(middles.tolist())}
    assert abs(place[9, 0, 0] - place[9, 3, 0]) == 1


def test_a_seed_gives_the_same_labels(method: Method, latents: np.ndarray) -> None:
    one, other = method(latents, 6, seed=3), method(latents, 6, seed=3)
    assert np.array_equal(one.labels, other.labels)
    assert np.array_equal(one.centre_particles, other.centre_particles)


def test_many_particles_in_batches_find_the_same(
    method: Method, latents: np.ndarray, truth: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latent_clusters, "_MAX_EXACT", 300)
    assert adjusted_rand_score(method(latents, 4, seed=0).labels, truth) == 1


def test_one_dimension_and_two_clusters_suffice(method: Method) -> None:
    latents = np.array([[5.0], [5.1], [0.0], [0.1], [5.2]], np.float32)
    assert method(latents, 2, seed=0).labels.tolist() == [1, 1, 0, 0, 1]


def test_clusters_that_stay_empty_are_left_out() -> None:
    latents = np.repeat(np.array([[0.0, 0], [1, 1]], np.float32), 5, axis=0)
    found = k_means(latents, 4, seed=0)
    assert found.sizes.tolist() == [5, 5]


def test_different_latents_are_counted_up_to_a_bound() -> None:
    latents = np.repeat(np.arange(30.0, dtype=np.float32), 100)[:, None]
    assert different_latents(latents, 20) == 20
    assert different_latents(latents, 40) == 30


SHAPES = {
    "a point": np.full((40, 2), 3.0, np.float32),
    "a line": np.outer(np.arange(40), [1, 2]).astype(np.float32),
    "a far line": np.outer(np.arange(40), [1e4, 2e4]).astype(np.float32) + 1e6,
    "two points": np.repeat(np.float32([[0, 0], [1, 1]]), 20, axis=0),
    "two particles": np.float32([[0, 0], [1, 1]]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_latents_that_fill_no_space_are_clustered(shape: str, method: Method) -> None:
    latents = SHAPES[shape]
    found = method(latents, 2, seed=0)
    assert found.labels.shape == (len(latents),)
    for cluster, particle in enumerate(found.centre_particles):
        assert found.labels[particle] == cluster
