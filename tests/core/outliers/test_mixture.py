"""Amplitudes of nothing are told from those of signal, as surely as the data allow."""

from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.outliers.mixture import fit_amplitudes

_N = 300


def _drawn(
    seed: int, *, junk: float, log_sd: float, error: float, n: int = _N
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Amplitudes, their errors, and which are of nothing."""
    rng = np.random.default_rng(seed)
    is_junk = rng.random(n) < junk
    errors = error * np.exp(rng.normal(0, 0.2, n))
    true = np.where(is_junk, 0.0, np.exp(rng.normal(0, log_sd, n)))
    return true + errors * rng.normal(size=n), errors, is_junk


@pytest.mark.parametrize("log_sd", [0.0, 0.2, 0.4])
@pytest.mark.parametrize("error", [0.05, 0.15, 0.3])
@pytest.mark.parametrize("n", [40, _N])
def test_nothing_is_called_an_outlier_where_there_are_none(
    log_sd: float, error: float, n: int
) -> None:
    amplitude, errors, _ = _drawn(1, junk=0.0, log_sd=log_sd, error=error, n=n)
    found = fit_amplitudes(amplitude, errors)
    assert (found.probability(amplitude, errors) > 0.5).mean() <= 0.01


@pytest.mark.parametrize("log_sd", [pytest.param(0.0, marks=pytest.mark.slow), 0.4])
def test_probabilities_are_fulfilled(log_sd: float) -> None:
    amplitude, errors, is_junk = _drawn(2, junk=0.2, log_sd=log_sd, error=0.2, n=3000)
    probability = fit_amplitudes(amplitude, errors).probability(amplitude, errors)
    assert probability.sum() == pytest.approx(is_junk.sum(), rel=0.1)
    for low, high in ((0.0, 0.2), (0.2, 0.8), (0.8, 1.01)):
        here = (probability >= low) & (probability < high)
        said, true = probability[here].mean(), is_junk[here].mean()
        error = np.sqrt(max(said * (1 - said), 0.01) / here.sum())
        assert abs(said - true) < 4 * error  # of the number of particles in a bin


def test_one_outlier_is_enough_where_it_is_plain() -> None:
    amplitude, errors, _ = _drawn(3, junk=0.0, log_sd=0.1, error=0.05)
    amplitude[7] = 0.02
    probability = fit_amplitudes(amplitude, errors).probability(amplitude, errors)
    assert np.flatnonzero(probability > 0.5).tolist() == [7]


def test_scale_of_amplitudes_does_not_matter() -> None:
    amplitude, errors, _ = _drawn(4, junk=0.1, log_sd=0.3, error=0.2)
    one = fit_amplitudes(amplitude, errors).probability(amplitude, errors)
    other = fit_amplitudes(20 * amplitude, 20 * errors).probability(20 * amplitude, 20 * errors)
    np.testing.assert_allclose(one, other, atol=1e-6)  # rounding over 200 rounds
