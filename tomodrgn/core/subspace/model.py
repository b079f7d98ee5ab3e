"""A model of particles in a linear subspace: the whole fit, from statistics to latents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch

from tomodrgn.core.subspace.choice import Choice, choose
from tomodrgn.core.subspace.fitting import Ensemble, Member, Pair
from tomodrgn.core.subspace.posteriors import posteriors
from tomodrgn.core.subspace.states import States, find_states

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from tomodrgn.core.interfaces import SubspaceEncoder
    from tomodrgn.core.linear.latents import Posterior
    from tomodrgn.core.subspace.statistics import Statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class SubspaceFit:
    """Networks that were fitted to the statistics of B particles.

    Attributes:
        pair: encoder and coordinates.
        latents: (B, Z) of the particles, with covariances.
        choice: what was compared on held-out tilts.
        states: discrete states, to which the latents are an alternative.
        n_coordinates: K.
    """

    pair: Pair
    latents: Posterior
    choice: Choice
    states: States
    n_coordinates: int

    @property
    def are_states(self) -> bool:
        """Whether a few discrete states describe the particles as well as latents do."""
        return self.states.are_enough(self.choice.chosen_gain)

    @property
    def n_latents(self) -> int:
        """Z."""
        return self.latents.mean.shape[1]


def fit_subspace(
    statistics: Statistics,
    make: Callable[[int], Pair],
    *,
    weights: Tensor | None = None,
    n_latents: int | None,
    seed: int,
) -> SubspaceFit:
    """Choose how many latents there are, fit networks to all tilts, and infer the latents.

    Args:
        statistics: of B particles.
        make: a pair of networks of so many latents, as it begins.
        weights: (B,) by which particles count; None where all count alike.
        n_latents: Z; None finds it.
        seed: of random numbers.
    """

    def begun(n: int) -> Pair:
        pair = make(n).to(statistics.all.vector.device)
        encoder = cast("SubspaceEncoder", pair.encoder)
        encoder.begin(statistics.all.linear_posterior())
        return pair

    if weights is None:
        weights = torch.ones_like(statistics.all.vector[:, 0])
    numbers = None if n_latents is None else [n_latents]
    choice = choose(statistics, begun, weights, numbers=numbers, seed=seed)
    pair = begun(choice.n_latents)
    told = statistics.all
    member = Member(n_latents=choice.n_latents, told=0)
    final = Ensemble(pair, [member], [told], weights, seed=seed)
    final.begin_unfolded()
    final.fit(choice.n_steps)
    final.load_into(pair, 0)
    return SubspaceFit(
        pair=pair,
        latents=posteriors(pair, told),
        choice=choice,
        states=find_states(statistics, weights, seed=seed),
        n_coordinates=told.n_coordinates,
    )
