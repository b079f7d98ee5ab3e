from __future__ import annotations

import pytest
import torch

from tomodrgn.core.interfaces import WeightingContext
from tomodrgn.core.particles.tables import ImageTable
from tomodrgn.core.physics.dose import optimal_dose
from tomodrgn.plugins.weightings import DoseSpec, TiltSpec
from tomodrgn.plugins.weightings.dose import DoseWeighting
from tomodrgn.plugins.weightings.tilt import TiltWeighting
from tomodrgn.testing import WeightingContract

CONTEXT = WeightingContext(box_size_px=64, pixel_size_a=2.0)


class TestDose(WeightingContract):
    spec = DoseSpec()


class TestTilt(WeightingContract):
    spec = TiltSpec()


def images(dose: list[float], tilt: list[float]) -> ImageTable[torch.Tensor]:
    n = len(dose)
    return ImageTable(
        rotation=torch.eye(3).expand(n, 3, 3),
        shift_px=torch.zeros(n, 2),
        dose_e_per_a2=torch.tensor(dose),
        tilt_deg=torch.tensor(tilt),
        voltage_kv=torch.full((n,), 300.0),
        optics=torch.zeros(n, dtype=torch.int64),
    )


def test_weights_never_rise_with_dose_or_radius() -> None:
    table = images([1.0, 10.0, 60.0, 140.0], [0.0] * 4)
    weights = DoseWeighting(DoseSpec(), CONTEXT).weights(table, torch.linspace(1, 32, 50))
    assert torch.all(weights.diff(dim=0) <= 0)
    assert torch.all(weights.diff(dim=1) <= 0)


def test_weight_is_zero_just_beyond_the_optimal_dose() -> None:
    radius = torch.tensor([16.0])
    best = optimal_dose(radius / 128, torch.tensor(300.0)).item()
    table = images([best * 0.999, best * 1.001], [0.0, 0.0])
    weights = DoseWeighting(DoseSpec(), CONTEXT).weights(table, radius)
    assert weights[0].item() == pytest.approx(torch.tensor(-0.5 * 2.51284).exp().item(), rel=1e-2)
    assert weights[1].item() == 0


def test_tilt_weight_is_the_cosine_of_either_side() -> None:
    table = images([0.0] * 3, [0.0, 60.0, -60.0])
    weights = TiltWeighting(TiltSpec(), CONTEXT).weights(table, torch.tensor([1.0, 5.0]))
    torch.testing.assert_close(weights, torch.tensor([1.0, 0.5, 0.5])[:, None].expand(3, 2))
