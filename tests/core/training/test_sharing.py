from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.training.sharing import deal, neighbors

SETS = [
    np.array([], np.int64),
    np.array([5]),
    np.array([0, 0, 3, 0]),
    np.array([7, 7, 7, 7, 7, 7]),
    np.random.default_rng(0).integers(0, 60, 1000),
    np.random.default_rng(1).geometric(0.02, 301),
]


@pytest.mark.parametrize("weights", SETS)
@pytest.mark.parametrize("n_ranks", [1, 2, 3, 8])
def test_every_item_has_one_owner(weights: np.ndarray, n_ranks: int) -> None:
    everything = np.arange(len(weights))
    dealt = np.concatenate([deal(weights, rank, n_ranks) for rank in range(n_ranks)])
    assert sorted(dealt) == everything.tolist()
    adjacent = [everything[neighbors(weights, rank, n_ranks)] for rank in range(n_ranks)]
    assert np.concatenate(adjacent).tolist() == everything.tolist()


@pytest.mark.parametrize("weights", SETS[1:])
@pytest.mark.parametrize("n_ranks", [2, 3, 8])
def test_loads_differ_by_no_more_than_the_heaviest_item(weights: np.ndarray, n_ranks: int) -> None:
    loads = [weights[deal(weights, rank, n_ranks)].sum() for rank in range(n_ranks)]
    assert max(loads) - min(loads) <= weights.max()
    runs = [weights[neighbors(weights, rank, n_ranks)].sum() for rank in range(n_ranks)]
    assert max(runs) - weights.sum() / n_ranks <= weights.max()
