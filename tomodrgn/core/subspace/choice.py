"""How many latents a network needs: told of half the tilts, it predicts the others.

Networks of several numbers of latents are fitted to tilts of even rank and, apart from these, to
those of odd rank. Each is judged by the tilts that it was not told of. Of those that predict as
well as the best, within a standard error over particles or half a percent, the one with the fewest
latents is taken, and as many steps as suited it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.linear.weighting import mean_of
from tomodrgn.core.subspace.fitting import Ensemble, Member, Pair, steps_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from tomodrgn.core.subspace.statistics import Statistics

NUMBERS: Final = ((1, 2, 3), (4, 6, 8))
"""Numbers of latents that are compared where none is asked for; a group only where the largest
number before it is the best so far."""
MOST_COMPARED: Final = 2048
"""Particles by which networks are compared; a choice needs no more."""
_NOTABLE: Final = 0.005
"""Share of the gain that is worth a latent more, however surely it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Networks that were compared.

    Attributes:
        n_latents: the number that was chosen.
        n_steps: steps after which its networks predicted best.
        compared: the numbers that were compared.
        gain: mean log likelihood per particle that each adds to held-out tilts, over the mean map.
        error: its standard error over particles.
    """

    n_latents: int
    n_steps: int
    compared: tuple[int, ...]
    gain: tuple[float, ...]
    error: tuple[float, ...]

    @property
    def chosen_gain(self) -> float:
        """Gain of the number that was chosen."""
        return self.gain[self.compared.index(self.n_latents)]


def choose(
    statistics: Statistics,
    make: Callable[[int], Pair],
    weights: Tensor,
    *,
    numbers: Sequence[int] | None,
    seed: int,
) -> Choice:
    """Compare networks by held-out tilts.

    Args:
        statistics: of all particles.
        make: a pair of networks of so many latents, as it begins.
        weights: (B,) by which particles count.
        numbers: of latents, to compare; by default up to as many as there are coordinates.
        seed: of noise and particles.
    """
    n_coordinates = statistics.all.n_coordinates
    random = torch.Generator().manual_seed(seed)
    rows = torch.randperm(statistics.n_particles, generator=random)[:MOST_COMPARED]
    rows = rows.to(weights.device)
    task = _Task(statistics.of_particles(rows), make, weights[rows], seed)
    groups = [tuple(numbers)] if numbers else NUMBERS
    judged: list[_Judged] = []
    for group in groups:
        fitting = [n for n in group if n <= n_coordinates or numbers]
        judged += task.judged(fitting) if fitting else []
        if task.fewest(judged) < len(judged) - 1:
            break
    chosen = judged[task.fewest(judged)]
    return Choice(
        n_latents=chosen.n_latents,
        n_steps=chosen.n_steps,
        compared=tuple(each.n_latents for each in judged),
        gain=tuple(task.mean(each.gain) for each in judged),
        error=tuple(task.error(each.gain) for each in judged),
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    """Networks of a number of latents: steps after which they were best, and gains (B,) then."""

    n_latents: int
    n_steps: int
    gain: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """Particles by which networks are compared."""

    statistics: Statistics
    make: Callable[[int], Pair]
    weights: Tensor
    seed: int

    def judged(self, numbers: Sequence[int]) -> list[_Judged]:
        """Networks of several numbers of latents, each told of tilts and judged by the others."""
        told = [self.statistics.even, self.statistics.odd]
        members = [Member(n_latents=n, told=half) for n in numbers for half in (0, 1)]
        pair = self.make(max(numbers))
        ensemble = Ensemble(pair, members, told, self.weights, seed=self.seed)
        found: dict[int, Tensor] = {}

        def judge(steps: int) -> None:
            gains = ensemble.gains(told[::-1])
            found[steps] = gains.view(len(numbers), 2, -1).sum(1)

        ensemble.begin_unfolded()
        ensemble.fit(steps_for(self.statistics.n_particles), judge)
        means = torch.stack([mean_of(each.T, self.weights) for each in found.values()])
        steps = [list(found)[check] for check in means.argmax(0).tolist()]
        return [_Judged(n, steps[k], found[steps[k]][k]) for k, n in enumerate(numbers)]

    def fewest(self, judged: Sequence[_Judged]) -> int:
        """Index of the fewest latents that predict as well as the best."""
        best = max((each.gain for each in judged), key=self.mean)
        for index, each in enumerate(judged):
            less = best - each.gain
            if self.mean(less) <= max(self.error(less), _NOTABLE * self.mean(best)):
                return index
        return len(judged) - 1

    def mean(self, gain: Tensor) -> float:
        """Weighted mean of (B,)."""
        return float(mean_of(gain, self.weights))

    def error(self, gain: Tensor) -> float:
        """Its standard error."""
        share = self.weights / self.weights.sum()
        return float((share * (gain - self.mean(gain))).square().sum().sqrt())
