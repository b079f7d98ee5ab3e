"""Starts of classes depend on particles, not on the order of their rows."""

from __future__ import annotations

import numpy as np
import torch

from tomodrgn.core.linear.classes_halves import log_mixture, shares_of
from tomodrgn.core.linear.classes_starts import (
    spread_points,
    start_from_latents,
    start_from_terms,
)
from tomodrgn.core.linear.latents import LatentTerms

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
