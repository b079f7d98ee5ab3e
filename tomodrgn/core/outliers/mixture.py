"""Which of many amplitudes are those of signal, and which of none?

Amplitudes of signal scatter, as contrast does: they are log-normal. Those of what shows no signal
lie about 0. Both are seen with a known error. A mixture of the two is fitted by
expectation-maximization, and is only used where it explains the amplitudes better than signal
alone, so that no outliers are called where there are none.

Source:
    Expectation-maximization: Dempster, Laird & Rubin 1977, doi:10.1111/j.2517-6161.1977.tb01600.x.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log, log1p, pi, sqrt
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.special import expit, logsumexp  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NODES: Final = np.linspace(-4.0, 4.0, 65)
"""Places of a normal distribution at which it is summed, in standard deviations."""
_STEP: Final = float(_NODES[1] - _NODES[0])
_LOG_NODE_WEIGHTS: Final = -0.5 * _NODES**2 - float(logsumexp(-0.5 * _NODES**2))
_ROUNDS: Final = 200
_SETTLED: Final = 1e-6
_MIN_LOG_SD: Final = 0.02
_MAX_LOG_SD: Final = 0.7
_MAX_FITTED: Final = 20_000
_AT_ONCE: Final = 65_536
_BETWEEN_NODES: Final = 12
"""Variance of an even distribution over a step, under its square."""
_MAX_SHARE: Final = 0.95
MAX_SPREAD: Final = 0.1
"""Largest standard deviation of true amplitudes of no signal, over the median of signal."""
_STARTING_SHARES: Final = (0.02, 0.2)
MIN_GAIN: Final = 6.0
"""Log likelihood that outliers have to gain over none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmplitudeMixture:
    """Amplitudes of signal and of none.

    Attributes:
        median: of signal.
        log_sd: standard deviation of the logarithm of signal.
        share: part of all that shows none.
        spread: standard deviation of true amplitudes of none.
        gain: log likelihood over that of signal alone.
    """

    median: float
    log_sd: float
    share: float
    spread: float
    gain: float

    def log_ratio(self, amplitude: NDArray[np.float64], error: NDArray[np.float64],
                  ) -> NDArray[np.float64]:  # fmt: skip
        """(n,) log likelihood of no signal, over that of signal."""
        parts = []
        for first in range(0, max(len(amplitude), 1), _AT_ONCE):
            here = slice(first, first + _AT_ONCE)
            signal = logsumexp(_signal(amplitude[here], error[here], self.median, self.log_sd), 1)
            parts.append(_nothing(amplitude[here], error[here], self.spread) - signal)
        return np.concatenate(parts)

    def probability(
        self, amplitude: NDArray[np.float64], error: NDArray[np.float64], more: Any = 0.0
    ) -> NDArray[np.float64]:
        """(n,) of no signal; ``more`` is added to the log ratio, as of other evidence."""
        if self.share <= 0:
            return np.zeros(len(amplitude))
        odds = self.log_ratio(amplitude, error) + more + log(self.share) - log1p(-self.share)
        return np.asarray(expit(odds))


def fit_amplitudes(amplitude: NDArray[np.float64], error: NDArray[np.float64]) -> AmplitudeMixture:
    """The mixture that explains amplitudes (n,) best; one without outliers where that will do.

    Args:
        amplitude: of particles or of exposures, of which most show signal.
        error: (n,) standard error of each.
    """
    rows = np.linspace(0, len(amplitude) - 1, min(len(amplitude), _MAX_FITTED)).astype(np.int64)
    some, error = amplitude[rows], error[rows]
    alone, likelihood = _fitted(some, error, _start(some, 0.0))
    tries = [_fitted(some, error, _start(some, share)) for share in _STARTING_SHARES]
    best, better = max(tries, key=lambda found: found[1])
    gain = better - likelihood
    if not gain > MIN_GAIN or best.median <= 0:
        return replace(alone, gain=0.0)
    return replace(best, gain=gain)


def _start(amplitude: NDArray[np.float64], share: float) -> AmplitudeMixture:
    """Signal of the median amplitude of what is above the share of outliers."""
    upper = np.sort(amplitude)[int(share * len(amplitude)) :]
    median = max(float(np.median(upper)), 1e-12)
    return AmplitudeMixture(
        median=median, log_sd=0.2, share=share, spread=0.5 * MAX_SPREAD * median, gain=0.0
    )


def _fitted(
    amplitude: NDArray[np.float64], error: NDArray[np.float64], start: AmplitudeMixture
) -> tuple[AmplitudeMixture, float]:
    """The mixture of greatest likelihood near a start, and its log likelihood."""
    found, before = start, -np.inf
    for _ in range(_ROUNDS):
        found, likelihood = _improved(amplitude, error, found)
        if likelihood - before < _SETTLED * len(amplitude):
            break
        before = likelihood
    return found, likelihood


def _improved(
    amplitude: NDArray[np.float64], error: NDArray[np.float64], now: AmplitudeMixture
) -> tuple[AmplitudeMixture, float]:
    """One round, and the log likelihood before it."""
    nodes = _signal(amplitude, error, now.median, now.log_sd)
    signal = logsumexp(nodes, 1)
    total, is_none = signal, np.zeros(len(amplitude))
    if now.share > 0:
        none = log(now.share) + _nothing(amplitude, error, now.spread)
        total = np.logaddexp(none, log1p(-now.share) + signal)
        is_none = np.exp(none - total)
    weight = (1 - is_none)[:, None] * np.exp(nodes - signal[:, None])
    weight /= weight.sum()
    moved = float((weight * _NODES).sum())
    scatter = float((weight * (_NODES - moved) ** 2).sum())
    median = now.median * exp(now.log_sd * moved)
    members = float(is_none.sum())
    spread = now.spread
    if members > 0:
        known = spread**2 / (spread**2 + error**2)
        second = (known * amplitude) ** 2 + known * error**2
        spread = sqrt(float((is_none * second).sum()) / members)
    return replace(
        now,
        median=median,
        log_sd=min(max(now.log_sd * sqrt(scatter), _MIN_LOG_SD), _MAX_LOG_SD),
        share=min(members / len(amplitude), _MAX_SHARE),
        spread=min(max(spread, 1e-3 * median), MAX_SPREAD * median),
    ), float(total.sum())


def _signal(
    amplitude: NDArray[np.float64], error: NDArray[np.float64], median: float, log_sd: float
) -> NDArray[np.float64]:
    """(n, nodes) log likelihood of signal of the amplitude of each node, and of having it."""
    places = median * np.exp(log_sd * _NODES)
    variance = error[:, None] ** 2 + (places * log_sd * _STEP) ** 2 / _BETWEEN_NODES
    return _LOG_NODE_WEIGHTS + _log_normal(amplitude[:, None] - places, variance)


def _nothing(
    amplitude: NDArray[np.float64], error: NDArray[np.float64], spread: float
) -> NDArray[np.float64]:
    return _log_normal(amplitude, error**2 + spread**2)


def _log_normal(value: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(-0.5 * (value**2 / variance + np.log(2 * pi * variance)))
