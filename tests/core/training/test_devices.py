"""Number types follow what a device multiplies fast, and what was asked for."""

from __future__ import annotations

import pytest
import torch

from tomodrgn.core.specs.training import DevicesSpec
from tomodrgn.core.training.devices import Devices


@pytest.mark.parametrize(
    ("precision", "has_matrix_units", "expected"),
    [
        ("mixed", True, torch.bfloat16),
        ("mixed", False, torch.float32),
        ("float32", True, torch.float32),
        ("float64", True, torch.float64),
    ],
)
def test_a_cpu_multiplies_short_numbers_where_it_has_units_for_them(
    precision: str, has_matrix_units: bool, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        torch.cpu, "_is_amx_tile_supported", lambda: has_matrix_units, raising=False
    )
    spec = DevicesSpec.model_validate({"accelerator": "cpu", "precision": precision})
    devices = Devices(spec)
    assert devices.network_dtype is expected
    with devices.autocast():
        assert torch.is_autocast_enabled("cpu") is (expected is torch.bfloat16)
    devices.lower_precision_risk()
    assert devices.network_dtype is devices.dtype
