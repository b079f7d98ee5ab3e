"""Few particles that differ are heard, and where none does nothing is."""

from __future__ import annotations

from math import exp

import numpy as np
import torch

from tomodrgn.core.linear.classes_held_out import class_gain
from tomodrgn.core.linear.rare import log_odds


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
