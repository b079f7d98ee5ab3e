"""What classes are worth, in numbers that can be added by hand."""

from __future__ import annotations

import math

import pytest
import torch

from tomodrgn.core.linear.classes_held_out import (
    ClassGain,
    class_gain,
    held_out_gains,
    one_map_gains,
)


def test_a_gain_is_a_mean_and_its_standard_errors() -> None:
    found = class_gain(torch.tensor([1.0, 2.0, 3.0, 6.0]))
    assert found.n_particles == 4
    assert found.gain == 3
    assert found.z == pytest.approx(3 / math.sqrt((4 + 1 + 0 + 9) / 3 / 4))
    assert class_gain(torch.full((5,), 2.0)).z == 0


@pytest.mark.parametrize(
    ("gain", "z", "is_significant"),
    [
        (0.0502, 2.6, True),  # 100 particles with log 150 = 5.01 together
        (0.0500, 2.6, False),
        (1.0, 2.5, False),
        (1.0, 2.51, True),
        (-1.0, 9.0, False),
    ],
)
def test_classes_need_strong_and_steady_evidence(
    gain: float, z: float, is_significant: bool
) -> None:
    assert ClassGain(gain=gain, z=z, n_particles=100, log_odds=0.0).is_significant is is_significant


def test_the_class_is_told_by_the_other_tilts() -> None:
    """Both sets of tilts speak for the first class by 2, so that each gains from the other."""
    gains = torch.tensor([[[2.0, 0.0], [2.0, 0.0]]])
    told = math.exp(2) / (math.exp(2) + 1)
    expected = 2 * math.log(told * math.exp(2) + 1 - told)
    assert float(held_out_gains(gains, torch.tensor([[0.5, 0.5]]))) == pytest.approx(expected)
    at_odds = torch.tensor([[[2.0, 0.0], [0.0, 2.0]]])
    expected = 2 * math.log(told + (1 - told) * math.exp(2))
    assert float(held_out_gains(at_odds, torch.tensor([[0.5, 0.5]]))) == pytest.approx(expected)


def test_models_are_judged_apart() -> None:
    gains = torch.randn(6, 2, 4, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([[0.3, 0.7], [0.9, 0.1]])
    both = held_out_gains(gains, weights)
    for model in (0, 1):
        part = gains[:, :, 2 * model : 2 * model + 2]
        torch.testing.assert_close(both[:, [model]], held_out_gains(part, weights[[model]]))


def test_one_map_is_that_which_tells_most_of_all_or_the_mean() -> None:
    gains = torch.tensor([[[1.0, 5.0], [1.0, -1.0]], [[1.0, -9.0], [1.0, -1.0]]])
    torch.testing.assert_close(one_map_gains(gains), torch.tensor([2.0, 2.0]))
    torch.testing.assert_close(one_map_gains(-gains[:, :, :1]), torch.zeros(2))
