from __future__ import annotations

import pytest

from tomodrgn.core.specs.training import LatentSpec, TrainingSpec
from tomodrgn.core.training.schedules import BetaSchedule, learning_rate


@pytest.mark.parametrize(
    ("name", "seen", "beta"),
    [
        ("a", 0, 0.001),
        ("a", 1_000_000, 15.0),
        ("b", 100_000, 5.0),
        ("b", 500_000, 10.0),
        ("c", 900_000, 18.0),
        ("d", 3_000_000, 11.5),
        ("e", 0, 0.0),
        ("e", 125, 1.0),
        ("e", 62, 0.496),
        ("e", 250, 0.0),
    ],
)
def test_schedules_pass_through_their_corners(name: str, seen: int, beta: float) -> None:
    spec = LatentSpec.model_validate({"dim": 8, "beta": name})
    assert BetaSchedule(spec, 1000)(seen) == pytest.approx(beta)


def test_beta_is_one_over_the_dimension_unless_given() -> None:
    assert BetaSchedule(LatentSpec(dim=8), 10)(5) == 1 / 8
    assert BetaSchedule(LatentSpec(dim=8, beta=0.3), 10)(5) == 0.3


def test_cosine_warms_up_and_ends_near_zero() -> None:
    spec = TrainingSpec(lr=1e-3, lr_schedule="cosine", warmup_fraction=0.1)
    rates = [learning_rate(spec, step, 100) for step in range(100)]
    assert rates[9] == pytest.approx(1e-3)
    assert max(rates) == pytest.approx(1e-3)
    assert rates[0] == pytest.approx(1e-4)
    assert rates[-1] < 1e-6
