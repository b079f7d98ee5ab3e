"""Fitting an encoder and the coordinates of a decoder to statistics, several at once.

What is maximized is the evidence lower bound of a normal population of latents (Kingma & Welling
2014, arXiv:1312.6114): the expected log likelihood of the coordinates, less the divergence of the
posterior from the prior. Networks that are to be compared, of other numbers of latents or told of
other tilts, are fitted side by side.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from tomodrgn.core.interfaces import Posterior
from tomodrgn.core.model.posterior import draw
from tomodrgn.core.subspace.statistics import Evidence, blocks_of
from tomodrgn.core.subspace.unfolding import MOST, unfolded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

N_STEPS: Final = 600
"""Steps of a fit, or more where particles are many."""
_FIRST_STEPS: Final = 100
"""Steps that teach networks where latents begin."""
N_CHECKS: Final = 4
"""How often networks are judged on the way."""
_BATCH: Final = 4096
_LEAST_EPOCHS: Final = 2
_LR: Final = 2e-2
_WARM_UP: Final = 0.1
_BETAS: Final = (0.9, 0.98)


class Pair(nn.Module):
    """An encoder of linear posteriors, and the network from latents to coordinates.

    Args:
        encoder: from the linear posterior (B, K) of particles to their posterior (B, Z).
        coordinates: from latents (B, Z) to coordinates (B, K).
    """

    def __init__(self, encoder: nn.Module, coordinates: nn.Module) -> None:
        super().__init__()
        self.encoder, self.coordinates = encoder, coordinates

    def forward(
        self,
        mean: Tensor,
        log_variance: Tensor,
        noise: Tensor,
        used: Tensor,
        target: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Coordinates (B, K) of drawn latents, and the divergence (B,) of their posterior.

        Args:
            mean: (B, K) of the linear posterior.
            log_variance: (B, K) likewise.
            noise: (B, Z) standard normal numbers; zeros for latents at their mean.
            used: (Z,) 1 for latents that there are, 0 for others.
            target: (B, Z) latents to learn, instead of drawn ones; then the squared distance of the
                posterior means is returned for the divergence.
        """
        found: Posterior = self.encoder(Posterior(mean, log_variance))
        if target is not None:
            distance = (found.mean - target).square()
            return self.coordinates(target), (distance * used).sum(-1)
        spread = found.log_variance.exp()
        divergence = 0.5 * (found.mean.square() + spread - found.log_variance - 1)
        latent = draw(found, noise) * used
        return self.coordinates(latent), (divergence * used).sum(-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A pair of networks that is fitted beside others.

    Attributes:
        n_latents: how many of the latents it uses.
        told: index of the evidence that it is fitted to.
    """

    n_latents: int
    told: int


class Ensemble:
    """Pairs of networks that begin alike and are fitted to one or another evidence.

    Args:
        pair: what each begins with.
        members: who they are.
        told: evidence (B particles each) that they are fitted to.
        weights: (B,) by which particles count.
        seed: of the noise and of the order of the particles.
    """

    def __init__(
        self,
        pair: Pair,
        members: Sequence[Member],
        told: Sequence[Evidence],
        weights: Tensor,
        *,
        seed: int,
    ) -> None:
        self._members, self._told, self._counting = members, told, weights
        self._linear = [each.linear_posterior() for each in told]
        self._pairs = nn.ModuleList(copy.deepcopy(pair) for _ in members)
        device = weights.device
        n_latents = max(each.n_latents for each in members)
        used = [[float(k < each.n_latents) for k in range(n_latents)] for each in members]
        self._used = torch.tensor(used, device=device)
        self._random = torch.Generator(device).manual_seed(seed)

    def begin_unfolded(self) -> None:
        """Let latents begin along the curve or surface near which the particles lie."""
        rows = slice(0, min(MOST, len(self._counting)))
        linear = [Posterior(*(part[rows] for part in each)) for each in self._linear]
        targets: dict[Member, Tensor] = {}
        for member in self._members:
            found = unfolded(linear[member.told], member.n_latents)
            spare = found.new_zeros((len(found), self._used.shape[1] - member.n_latents))
            targets[member] = torch.cat([found, spare], dim=1)
        optimizer = self._optimizer()
        for _ in range(_FIRST_STEPS):
            optimizer.zero_grad()
            self._loss(rows, targets).backward()
            optimizer.step()

    def fit(self, n_steps: int, on_check: Callable[[int], None] | None = None) -> None:
        """Fit all of them; ``on_check`` is called with the steps made, a few times."""
        optimizer = self._optimizer()
        checks = {math.ceil(n_steps * (k + 1) / N_CHECKS) for k in range(N_CHECKS)}
        for step, rows in enumerate(self._batches(n_steps)):
            for group in optimizer.param_groups:
                group["lr"] = _LR * _schedule(step / n_steps)
            optimizer.zero_grad()
            self._loss(rows).backward()
            optimizer.step()
            if on_check is not None and step + 1 in checks:
                on_check(step + 1)

    @torch.no_grad()
    def gains(self, judged: Sequence[Evidence]) -> Tensor:
        """(E, B) log likelihood of evidence by latents that are told of other, for each member.

        Args:
            judged: for each evidence told, that which judges.
        """
        found = []
        for row, member in enumerate(self._members):
            gains = []
            for rows in blocks_of(len(self._counting)):
                noise = self._used.new_zeros((rows.stop - rows.start, self._used.shape[1]))
                coordinates, _ = self._call(row, rows, noise)
                gains.append(judged[member.told][rows].gain(coordinates))
            found.append(torch.cat(gains))
        return torch.stack(found)

    def load_into(self, pair: Pair, member: int) -> None:
        """Put the weights of a member into a pair of networks."""
        pair.load_state_dict(self._pairs[member].state_dict())

    def _optimizer(self) -> torch.optim.Adam:
        return torch.optim.Adam(self._pairs.parameters(), lr=_LR, betas=_BETAS, fused=True)

    def _loss(self, rows: slice | Tensor, targets: dict[Member, Tensor] | None = None) -> Tensor:
        """Sum over the members of their weighted mean loss per particle."""
        counting = self._counting[rows]
        size = len(counting), self._used.shape[1]
        total = counting.new_zeros(())
        for row, member in enumerate(self._members):
            noise = torch.randn(size, generator=self._random, device=counting.device)
            target = None if targets is None else targets[member]
            coordinates, divergence = self._call(row, rows, noise, target)
            loss = divergence - self._told[member.told][rows].gain(coordinates)
            total = total + loss @ counting / counting.sum()
        return total

    def _call(
        self, row: int, rows: slice | Tensor, noise: Tensor, target: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Coordinates (b, K) and divergences (b,) of a member."""
        linear = self._linear[self._members[row].told]
        found: tuple[Tensor, Tensor] = self._pairs[row](
            linear.mean[rows], linear.log_variance[rows], noise, self._used[row], target
        )
        return found

    def _batches(self, n_steps: int) -> Iterator[slice | Tensor]:
        """Rows of particles for each step: all, or as many as fit, in ever new orders."""
        n_particles = len(self._counting)
        if n_particles <= _BATCH:
            yield from [slice(0, n_particles)] * n_steps
            return
        order: Tensor = torch.empty(0, dtype=torch.long)
        for _ in range(n_steps):
            if len(order) < _BATCH:
                order = torch.randperm(
                    n_particles, generator=self._random, device=self._random.device
                )
            yield order[:_BATCH]
            order = order[_BATCH:]


def steps_for(n_particles: int) -> int:
    """Steps of a fit to so many particles."""
    return max(N_STEPS, math.ceil(_LEAST_EPOCHS * n_particles / _BATCH))


def _schedule(share: float) -> float:
    """Share of the learning rate when a share of the steps is made: a warm-up, then a cosine."""
    if share < _WARM_UP:
        return (share + 1e-3) / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (share - _WARM_UP) / (1 - _WARM_UP)))
