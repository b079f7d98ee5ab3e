"""What predicts numbers of particles, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.analysis.covariate_regression import TOGETHER, covariate_shares

N = 300


def test_shares_are_those_of_the_variance_that_covariates_make() -> None:
    random = np.random.default_rng(0)
    tomogram = random.integers(0, 4, N)
    defocus = random.uniform(2, 4, N)
    values = np.column_stack(
        [2 * (tomogram == 1) + random.normal(0, 0.5, N), 1.0 * (defocus - 3), np.zeros(N)]
    )
    given = {"tomogram": tomogram.astype(str), "defocus": defocus, "dose": np.full(N, 60.0)}
    found = covariate_shares(values, given | {"chance": random.normal(size=N)})
    variance = values.var(axis=0)
    of_tomogram = 4 * (tomogram == 1).var() / variance.sum()
    assert set(found) == {"tomogram", "defocus", "chance", TOGETHER}
    assert found["tomogram"] == pytest.approx(of_tomogram, abs=0.05)
    assert found["defocus"] == pytest.approx(variance[1] / variance.sum(), abs=0.05)
    assert found["chance"] < 0.02
    assert found[TOGETHER] == pytest.approx(found["tomogram"] + found["defocus"], abs=0.05)


def test_nothing_is_said_of_few_particles_or_of_what_does_not_vary() -> None:
    assert covariate_shares(np.eye(8), {"tomogram": np.arange(8).astype(str)}) == {}
    assert covariate_shares(np.zeros((40, 1)), {"defocus": np.arange(40.0)}) == {}
