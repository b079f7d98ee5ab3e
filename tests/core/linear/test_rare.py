"""Few particles that differ are heard, and where none does nothing is."""

from __future__ import annotations

from math import exp

import numpy as np
import torch

from tomodrgn.core.linear.classes_held_out import class_gain
from tomodrgn.core.linear.rare import RARE_ODDS, log_odds, rare_odds, rare_probability


def test_few_particles_that_differ_are_heard() -> None:
    rng = torch.Generator().manual_seed(0)
    gains = -0.02 + 0.2 * torch.randn(400, generator=rng, dtype=torch.float64)
    assert log_odds(gains) < 1
    gains[:8] = 4.0
    assert log_odds(gains) > 6
    spread = float(gains.std()) / 20
    assert float(gains.mean()) / spread < 3  # the mean alone does not see them


def test_odds_have_a_mean_of_one_at_most_where_nothing_differs() -> None:
    rng = np.random.default_rng(1)
    size = 0.5  # of a likelihood ratio of two normal distributions, a standard deviation apart
    draws = size * rng.standard_normal((4000, 30)) - size**2 / 2
    odds = [exp(log_odds(torch.from_numpy(gains))) for gains in draws]
    assert np.mean(odds) < 1.5
    assert np.mean(np.array(odds) > exp(4)) < exp(-4)


def test_a_rare_class_is_one() -> None:
    rng = torch.Generator().manual_seed(0)
    gains = -0.04 + 0.4 * torch.randn(400, generator=rng, dtype=torch.float64)
    assert not class_gain(gains).is_significant
    gains[:8] = 8.0
    assert class_gain(gains).is_significant


def _terms(n_rare: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of 200 particles and two latents, some of them four standard errors out along the second."""
    rng = torch.Generator().manual_seed(seed)
    matrix = 4 * torch.eye(2, dtype=torch.float64).expand(200, 2, 2)
    vector = 2 * torch.randn(200, 2, generator=rng, dtype=torch.float64)
    vector[:n_rare, 1] += 4 * 4 / 2
    return matrix, vector


def test_particles_far_out_along_a_latent_are_heard() -> None:
    assert rare_odds(*_terms(4, 0)) > RARE_ODDS
    assert rare_odds(*_terms(0, 0)) < RARE_ODDS


def test_the_mean_of_odds_is_one_where_no_particle_is_rare() -> None:
    odds = np.array([exp(rare_odds(*_terms(0, seed))) for seed in range(400)])
    assert odds.mean() < 1.5
    assert np.mean(odds > exp(RARE_ODDS)) <= 0.01


def test_rare_particles_are_told_from_the_others() -> None:
    rng = torch.Generator().manual_seed(3)
    true = 0.3 * torch.randn(400, 2, generator=rng, dtype=torch.float64)
    true[:8] += torch.tensor([2.0, 3.5])  # seven standard errors away, along no axis
    matrix = 4 * torch.eye(2, dtype=torch.float64)
    vector = true @ matrix + 2 * torch.randn(400, 2, generator=rng, dtype=torch.float64)
    covariance = torch.linalg.inv(matrix + torch.linalg.inv(true.T @ true / 400))
    found = rare_probability(vector @ covariance, covariance.expand(400, 2, 2))
    assert (found > 0.5).nonzero()[:, 0].tolist() == list(range(8))
