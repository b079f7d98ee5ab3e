"""Starts of classes depend on particles, not on the order of their rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import pytest
import torch

from tomodrgn.core.linear import classes_starts
from tomodrgn.core.linear.classes_halves import log_mixture, shares_of
from tomodrgn.core.linear.classes_starts import (
    spread_points,
    start_from_chance,
    start_from_latents,
    start_from_rare,
    start_from_terms,
)
from tomodrgn.core.linear.latents import LatentTerms

if TYPE_CHECKING:
    from tomodrgn.core.linear.classes_halves import ClassHalves

_KEYS = np.arange(1, 41, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
_TRUE = np.arange(40) < 4
"""Which particles belong to the rare class."""


def _terms() -> LatentTerms:
    """What images say of latents at (3, 0) for 4 particles and about (-0.3, 0) for 36."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.where(torch.from_numpy(_TRUE), 3.0, -0.3)
    latents = torch.stack([centre, torch.zeros(40)], 1)
    matrix = (2 * torch.eye(2)).expand(40, 2, 2, 2)
    noise = torch.randn(40, 2, 2, generator=generator) * 2**0.5
    return LatentTerms(matrix, torch.einsum("bsij,bj->bsi", matrix, latents) + noise)


def test_a_rare_class_is_found_in_what_images_say_of_latents() -> None:
    labels = start_from_terms(_terms(), _KEYS, 2, 0).argmax(1).numpy()
    rare = labels == labels[0]
    np.testing.assert_array_equal(rare, _TRUE)


def test_starts_do_not_depend_on_the_order_of_particles() -> None:
    terms = _terms()
    order = np.random.default_rng(0).permutation(40)
    shuffled = LatentTerms(terms.matrix[order], terms.vector[order])
    shares = start_from_terms(terms, _KEYS, 2, 0)[order]
    torch.testing.assert_close(start_from_terms(shuffled, _KEYS[order], 2, 0), shares)
    latents = terms.posterior().mean.numpy()
    clusters = start_from_latents(latents, _KEYS, 3, 0)[order]
    torch.testing.assert_close(start_from_latents(latents[order], _KEYS[order], 3, 0), clusters)


def test_a_rare_state_is_a_class_beside_those_of_the_others() -> None:
    rare = torch.from_numpy(_TRUE).double()
    two = start_from_rare(_terms(), rare, _KEYS, 2, 0)
    torch.testing.assert_close(two, torch.stack([1 - rare, rare], 1).float())
    three = start_from_rare(_terms(), rare, _KEYS, 3, 0)
    torch.testing.assert_close(three.sum(1), torch.ones(40))
    torch.testing.assert_close(three[:, 2], rare.float())


def test_points_are_spread_over_what_there_is() -> None:
    values = torch.tensor([[0.0], [0.0], [0.0], [5.0], [9.0]])
    draws = torch.rand(5, 3, generator=torch.Generator().manual_seed(0))
    assert sorted(spread_points(values, draws)[:, 0].tolist()) == [0.0, 5.0, 9.0]


def test_hot_particles_are_shared_out_by_weight_alone() -> None:
    gains, weights = torch.tensor([[50.0, -50.0]]), torch.tensor([[0.8, 0.2]])
    torch.testing.assert_close(shares_of(gains, weights, 1e9), weights)
    torch.testing.assert_close(shares_of(gains, weights), torch.tensor([[1.0, 0.0]]))


def test_several_models_are_shared_out_apart() -> None:
    gains = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    weights = torch.full((2, 3), 1 / 3)
    shares = shares_of(gains, weights)
    torch.testing.assert_close(shares[:, :3], shares_of(gains[:, :3], weights[:1]))
    torch.testing.assert_close(shares.view(5, 2, 3).sum(2), torch.ones(5, 2))


def test_a_mixture_of_equal_gains_is_that_gain() -> None:
    log_weights = torch.tensor([0.3, 0.7]).log()
    torch.testing.assert_close(
        log_mixture(torch.full((4, 2), 2.5), log_weights), torch.full((4,), 2.5)
    )


class _Pass(NamedTuple):
    """What classes make of the particles of a half."""

    gains: torch.Tensor
    shares: torch.Tensor


class _Halves:
    """Halves of four particles each, whose passes are given by which maps they are asked with.

    Attributes:
        temperatures: of the passes that were asked for.
    """

    def __init__(self, answers: dict[tuple[int, int], _Pass]) -> None:
        self._answers = answers
        self.temperatures: list[float] = []
        self.images = SimpleNamespace(device=torch.device("cpu"))

    def passes(
        self, maps: torch.Tensor, *_others: torch.Tensor, temperature: float = 0.0, **_more: bool
    ) -> list[_Pass]:
        self.temperatures.append(temperature)
        return [self._answers[half, int(maps[half].flatten()[0])] for half in (0, 1)]

    def in_order(self, parts: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return torch.cat(parts)


def _same(gains: torch.Tensor) -> _Halves:
    """Classes are worth the same in both halves, with whatever maps."""
    found = _Pass(gains, torch.softmax(gains.sum(1), 1))
    return _Halves(dict.fromkeys(((half, number) for half in (0, 1) for number in (0, 1)), found))


@pytest.mark.parametrize(("apart", "hottest"), [(0.0, 1.0), (0.2, 1.0), (8.0, 4.0), (60.0, 30.0)])
def test_annealing_begins_at_what_tells_classes_apart_and_ends_at_one(
    apart: float, hottest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two classes with gains apart by D lie at D / 2 from their mean."""
    monkeypatch.setattr(classes_starts, "MAP_RESTARTS", 3)
    levels = torch.tensor([5.0, 100.0, -40.0]).repeat_interleave(2)  # of models, which do not count
    gains = levels + apart * torch.tensor([0.0, 1.0]).repeat(3)
    halves = _same(gains.expand(4, 2, 6) / 2)
    maps = torch.tensor([0.0, 1.0])[:, None, None]
    models = classes_starts._Models(maps, torch.ones(3), torch.full((2, 3, 2), 0.5))
    monkeypatch.setattr(classes_starts, "_begin", lambda *_: models)
    monkeypatch.setattr(classes_starts, "_improved", lambda *_: models)
    start_from_chance(cast("ClassHalves", halves), _KEYS[:8], 2, 0)
    _, *annealed, _own, _other = halves.temperatures
    assert annealed[0] == pytest.approx(hottest)
    assert annealed[-1] == annealed[-2] == 1
    n_rounds = classes_starts._ANNEALING_ROUNDS
    expected = [hottest ** (1 - min(1, step / n_rounds)) for step in range(len(annealed))]
    assert annealed == pytest.approx(expected)
    assert len(annealed) > n_rounds


def test_the_model_is_kept_that_tells_most_of_the_other_half() -> None:
    """Of half 0 the second model, of half 1 the first; its classes are numbered otherwise."""
    first, second = torch.eye(2)[[0, 0, 1, 1]], torch.eye(2)[[0, 1, 0, 1]]

    def answer(good: int, shares: list[torch.Tensor]) -> _Pass:
        gains = torch.zeros(4, 2, 4)
        gains[:, :, 2 * good : 2 * good + 2] = 1
        return _Pass(gains, torch.cat(shares, dim=1))

    halves = _Halves({
        (0, 0): answer(0, [second, first]),  # its own half speaks for the other model
        (1, 0): answer(1, [first, second]),
        (1, 1): answer(1, [first.flip(1), second]),
        (0, 1): answer(0, [first.flip(1), second]),
    })  # fmt: skip
    models = classes_starts._Models(
        torch.tensor([0.0, 1.0])[:, None, None], torch.ones(3), torch.full((2, 2, 2), 0.5)
    )
    found = classes_starts._matched(cast("ClassHalves", halves), models)
    torch.testing.assert_close(found, torch.cat([first, first]))


def test_points_of_two_kinds_of_particles_are_their_means_drawn_to_zero() -> None:
    """30 particles at 4 and 10 at -4, each known to a variance of 1/9, and a normal prior of 1."""
    where = torch.tensor([4.0] * 30 + [-4.0] * 10)[:, None]
    matrix, vector = torch.full((40, 1, 1), 9.0), 9 * where
    points, weights, likelihood = classes_starts._fit_points(
        matrix, vector, torch.tensor([[3.0], [-1.0]])
    )
    sizes = torch.tensor([30.0, 10.0])
    torch.testing.assert_close(
        points[:, 0], 9 * sizes * torch.tensor([4.0, -4.0]) / (9 * sizes + 1)
    )
    gains = classes_starts.point_gains(matrix, vector, points)
    torch.testing.assert_close(gains[0], 36 * points[:, 0] - 4.5 * points[:, 0] ** 2)
    expected = torch.logsumexp(gains + weights.log(), 1).mean()
    assert likelihood == pytest.approx(float(expected), rel=1e-6)
    assert float(weights[0]) == pytest.approx(0.75, abs=0.02)
