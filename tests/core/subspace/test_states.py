"""Discrete states are told from motions, and counted, by tilts that nobody was told of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from tests.core.subspace.curves import B, K, half_circle, told_of
from tomodrgn.core.subspace.states import States, find_states

POINTS = torch.tensor([[1.5, 0.0, 0.0], [-0.7, 1.2, 0.0], [-0.7, -1.2, 0.5], [0.5, 0.5, -1.5]])


def _of(points: torch.Tensor, labels: np.ndarray, strength: float = 25.0) -> States:
    told = told_of(points[torch.from_numpy(labels)], strength)
    return find_states(told.statistics, torch.ones(B), seed=0)


@pytest.mark.parametrize("n_states", [2, 3, 4])
def test_states_are_counted_and_told_apart(n_states: int) -> None:
    labels = np.arange(B) % n_states
    found = _of(POINTS[:n_states], labels)
    assert found.n_states == n_states
    assert adjusted_rand_score(labels, found.labels) > 0.95
    torch.testing.assert_close(
        found.share, torch.full((n_states,), 1 / n_states), atol=0.03, rtol=0
    )


def test_points_are_those_of_the_states() -> None:
    found = _of(POINTS[:3], np.arange(B) % 3)
    distance = torch.cdist(found.coordinates, POINTS[:3]).min(1).values
    assert float(distance.max()) < 0.1


def test_a_small_state_is_not_lost() -> None:
    labels = (np.arange(B) < 8).astype(np.int64)
    found = _of(2 * POINTS[:2], labels)
    assert found.n_states == 2
    assert adjusted_rand_score(labels, found.labels) > 0.95


def test_particles_that_are_alike_are_one_state() -> None:
    found = _of(torch.zeros(1, K), np.zeros(B, np.int64), strength=5.0)
    assert found.n_states == 1
    assert not found.are_enough(-0.1)
    assert found.gain[0] == pytest.approx(0, abs=0.1)


def test_a_motion_is_no_set_of_states() -> None:
    found = find_states(half_circle(200.0).statistics, torch.ones(B), seed=0)
    assert found.n_states >= 6
    best = torch.tensor(found.gain).max()
    assert not found.are_enough(1.1 * float(best))
    assert found.are_enough(float(best))


def test_the_most_populated_state_comes_first() -> None:
    labels = (np.arange(B) % 4 == 0).astype(np.int64)
    found = _of(POINTS[:2], labels)
    assert float(found.share[0]) == pytest.approx(0.75, abs=0.02)
    assert float(((found.labels == 0).numpy() == (labels == 0)).mean()) > 0.97


def test_particles_of_weight_0_make_no_state() -> None:
    labels = (np.arange(B) < 60).astype(np.int64)
    told = told_of(POINTS[torch.from_numpy(labels)], 25.0)
    weights = torch.from_numpy(labels == 0).float()
    found = find_states(told.statistics, weights, seed=0)
    assert found.n_states == 1
