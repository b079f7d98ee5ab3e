from __future__ import annotations

import numpy as np
import pytest
import torch

from tomodrgn.core.errors import DataError
from tomodrgn.core.physics.dose import (
    OPTIMAL_PER_CRITICAL,
    critical_dose,
    dose_attenuation,
    voltage_factor,
)


def test_critical_dose_is_that_of_the_source() -> None:
    found = critical_dose(torch.tensor([1 / 20, 1 / 10, 1 / 5]).double(), torch.tensor(300.0))
    np.testing.assert_allclose(found, [38.73, 14.14, 6.386], rtol=2e-4)  # eq. 3 evaluated by hand


def test_200_kv_damages_as_the_source_says() -> None:
    assert voltage_factor(torch.tensor(200.0)).item() == pytest.approx(0.8, abs=0.005)
    assert voltage_factor(torch.tensor(300.0)).item() == 1


def test_critical_dose_rises_with_voltage() -> None:
    factors = voltage_factor(torch.tensor([60.0, 100.0, 120.0, 200.0, 300.0, 1000.0]))
    assert torch.all(factors.diff() > 0)


def test_optimal_dose_is_the_best_signal_to_noise() -> None:
    x = np.linspace(0.01, 6, 100_000)  # dose over critical dose
    signal_to_noise = (1 - np.exp(-x / 2)) ** 2 / x
    assert x[signal_to_noise.argmax()] == pytest.approx(OPTIMAL_PER_CRITICAL, abs=1e-3)


def test_attenuation_falls_with_dose_and_frequency() -> None:
    dose, freqs = torch.tensor([0.0, 3.0, 60.0]), torch.tensor([0.0, 0.01, 0.1])
    left = dose_attenuation(dose, freqs, torch.full((3,), 300.0))
    assert torch.all(left[0] == 1)
    assert torch.all(left[:, 0] == 1)
    assert torch.all(left[1:].diff(dim=0) <= 0)
    assert torch.all(left[1:].diff(dim=1) < 0)


@pytest.mark.parametrize("voltage_kv", [-300.0, 0.0])
def test_voltages_that_are_not_positive_are_refused(voltage_kv: float) -> None:
    with pytest.raises(DataError, match=rf"voltage {voltage_kv} kV is not positive"):
        critical_dose(torch.tensor([0.1]), torch.tensor(voltage_kv))


@pytest.mark.parametrize("voltages_kv", [[300.0, 0.0], [-200.0, 300.0], [float("nan"), 300.0]])
def test_one_voltage_that_is_not_positive_is_refused(voltages_kv: list[float]) -> None:
    with pytest.raises(DataError, match="kV is not positive; correct the voltage column"):
        voltage_factor(torch.tensor(voltages_kv))
