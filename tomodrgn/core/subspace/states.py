"""Discrete states: do particles lie at a few points of the subspace, or along something?

A state is a point of the subspace that some share of the particles has. Points and shares of
greatest likelihood come from expectation and maximization over the statistics, in closed form:
given who is in a state, its point solves ``(sum r A + 1) c = sum r b``. How many states there are
is asked of held-out tilts, as for latents; whether there are states at all, by comparing them with
networks, whose latents may lie anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.linear.weighting import mean_of

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.subspace.statistics import Evidence, Statistics

MOST_STATES: Final = 8
"""States that are tried."""
FEWEST_PER_STATE: Final = 4
"""Particles per state with fewer of which none is tried."""
_STARTS: Final = 8
_ROUNDS: Final = 60
_SETTLED: Final = 1e-3
"""Change of all coordinates of all states below which rounds end."""
_NOTABLE: Final = 0.01
"""Share of the gain that is worth a state more, however surely it is there."""
_LEAST_GAIN: Final = 5.0
"""Log likelihood of all particles together that a state more has to add: odds of 150, from which
evidence counts as very strong (Kass & Raftery 1995, doi:10.1080/01621459.1995.10476572)."""
_LEAST_SHARE: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """Discrete states of B particles.

    Attributes:
        coordinates: (S, K) of the states, the most populated first.
        share: (S,) of the particles in each.
        probability: (B, S) of each state for each particle.
        compared: numbers of states that were compared, beginning with 1.
        gain: mean log likelihood per particle that each number adds to held-out tilts, over the
            mean map.
        error: its standard error over particles.
    """

    coordinates: Tensor
    share: Tensor
    probability: Tensor
    compared: tuple[int, ...]
    gain: tuple[float, ...]
    error: tuple[float, ...]

    @property
    def n_states(self) -> int:
        """S."""
        return len(self.share)

    @property
    def labels(self) -> Tensor:
        """(B,) the likeliest state of each particle."""
        return self.probability.argmax(1)

    @property
    def chosen_gain(self) -> float:
        """Gain of the number that was chosen."""
        return self.gain[self.compared.index(self.n_states)]

    def are_enough(self, gain: float) -> bool:
        """Whether held-out tilts do not prefer latents, whose mean gain is given, to states."""
        slack = max(self.error[self.compared.index(self.n_states)] / 2, _NOTABLE * abs(gain))
        return self.n_states > 1 and self.chosen_gain > gain - slack


@dataclass(frozen=True, slots=True)
class _Mixture:
    """Points (S, K) of a subspace and the logarithms (S,) of their shares."""

    points: Tensor
    log_share: Tensor

    def joint(self, evidence: Evidence) -> Tensor:
        """(B, S) log likelihood of each state with its share, over the mean map."""
        return evidence.gains(self.points) + self.log_share


def find_states(statistics: Statistics, weights: Tensor, *, seed: int) -> States:
    """Fit states to all tilts, as many as held-out tilts ask for.

    Args:
        statistics: of B particles.
        weights: (B,) by which they count.
        seed: of the starts.
    """
    random = torch.Generator().manual_seed(seed)
    halves = statistics.even, statistics.odd
    most = max(1, min(MOST_STATES, statistics.n_particles // FEWEST_PER_STATE))
    numbers = range(1, most + 1)
    gains = torch.stack([_held_out(halves, weights, n, random) for n in numbers])
    means = mean_of(gains.T, weights)
    chosen = _fewest(gains, weights)
    found = _best_of(statistics.all, weights, chosen, random)
    probability = torch.softmax(found.joint(statistics.all), dim=1)
    share = mean_of(probability, weights)
    order = share.argsort(descending=True)
    error = gains.std(1) / gains.shape[1] ** 0.5
    return States(
        coordinates=found.points[order],
        share=share[order],
        probability=probability[:, order],
        compared=tuple(numbers),
        gain=tuple(means.tolist()),
        error=tuple(error.tolist()),
    )


def _fewest(gains: Tensor, weights: Tensor) -> int:
    """The fewest states that predict as well as the best, of gains (N, B) of 1 to N states."""
    most = int(mean_of(gains.T, weights).argmax())
    best = gains[most]
    for index, gain in enumerate(gains[:most]):
        less = best - gain
        error = float(less.std()) / len(less) ** 0.5
        notable = _NOTABLE * float(mean_of(best, weights))
        strong = _LEAST_GAIN * (most - index) / float(weights.sum())
        if float(mean_of(less, weights)) <= max(error, notable, strong):
            return index + 1
    return most + 1


def _held_out(
    halves: tuple[Evidence, Evidence], weights: Tensor, n_states: int, random: torch.Generator
) -> Tensor:
    """(B,) log likelihood of tilts, by states that others found and say the particle is in."""
    total = torch.zeros_like(weights)
    for told, judging in (halves, halves[::-1]):
        mixture = _best_of(told, weights, n_states, random)
        known = torch.log_softmax(mixture.joint(told), dim=1)
        total = total + torch.logsumexp(known + judging.gains(mixture.points), dim=1)
    return total


def _best_of(
    evidence: Evidence, weights: Tensor, n_states: int, random: torch.Generator
) -> _Mixture:
    """The likeliest mixture that some starts lead to."""
    linear = evidence.linear_posterior().mean
    best: tuple[float, _Mixture] | None = None
    for _ in range(_STARTS if n_states > 1 else 1):
        mixture = _settled(evidence, weights, _start(linear, n_states, random))
        height = float(mean_of(torch.logsumexp(mixture.joint(evidence), dim=1), weights))
        if best is None or height > best[0]:
            best = height, mixture
    if best is None:
        raise ValueError("there is no start")
    return best[1]


def _start(linear: Tensor, n_states: int, random: torch.Generator) -> _Mixture:
    """Particles far from each other, drawn one after another.

    Source:
        k-means++; Arthur & Vassilvitskii 2007, doi:10.5555/1283383.1283494.
    """
    chosen = [int(torch.randint(len(linear), (1,), generator=random))]
    nearest = torch.full_like(linear[:, 0], torch.inf)
    for _ in range(n_states - 1):
        nearest = torch.minimum(nearest, (linear - linear[chosen[-1]]).square().sum(1))
        odds = nearest.cpu() + _LEAST_SHARE
        chosen.append(int(torch.multinomial(odds, 1, generator=random)))
    points = linear[chosen]
    return _Mixture(points, torch.full_like(points[:, 0], -float(torch.tensor(n_states).log())))


def _settled(evidence: Evidence, weights: Tensor, mixture: _Mixture) -> _Mixture:
    """After rounds of expectation and maximization."""
    whole = evidence.whole_matrix().flatten(1)
    n = evidence.n_coordinates
    identity = torch.eye(n, device=whole.device, dtype=whole.dtype)
    for _ in range(_ROUNDS if len(mixture.points) > 1 else 1):
        inside = torch.softmax(mixture.joint(evidence), dim=1) * weights[:, None]
        matrix = (inside.T @ whole).unflatten(1, (n, n)) + identity
        points = torch.linalg.solve(matrix, (inside.T @ evidence.vector)[..., None])[..., 0]
        share = (inside.sum(0) / weights.sum()).clamp_min(_LEAST_SHARE)
        moved = float((points - mixture.points).abs().max())
        mixture = _Mixture(points, share.log())
        if moved < _SETTLED:
            break
    return mixture
