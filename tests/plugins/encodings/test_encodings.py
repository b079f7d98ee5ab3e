from __future__ import annotations

import math

import pytest
import torch

from tomodrgn.core.interfaces import EncodingContext
from tomodrgn.plugins.encodings import (
    GaussianSpec,
    GeomFtSpec,
    GeomFullSpec,
    GeomLowfSpec,
    GeomNohighfSpec,
    LinearLowfSpec,
    NoneSpec,
    WaveSpec,
)
from tomodrgn.plugins.encodings.axis_waves import (
    AxisWaves,
    geom_ft,
    geom_full,
    geom_lowf,
    geom_nohighf,
    linear_lowf,
)
from tomodrgn.testing import EncodingContract

CONTEXT = EncodingContext(box_size_px=32, seed=0)


class TestGeomFt(EncodingContract):
    spec = GeomFtSpec()


class TestGeomFull(EncodingContract):
    spec = GeomFullSpec(dim=5)


class TestGeomLowf(EncodingContract):
    spec = GeomLowfSpec(dim=1)


class TestGeomNohighf(EncodingContract):
    spec = GeomNohighfSpec()


class TestLinearLowf(EncodingContract):
    spec = LinearLowfSpec(dim=7)


class TestGaussian(EncodingContract):
    spec = GaussianSpec(sigma=0.3, dim=4)


class TestNone(EncodingContract):
    spec = NoneSpec()


@pytest.mark.parametrize(
    ("factory", "highest", "lowest"),
    [
        (geom_ft, 32 * math.pi, 2 * math.pi),
        (geom_full, 32 * math.pi, 1.0),
        (geom_lowf, 16.0, 1.0),
        (geom_nohighf, 16.0, 2 * math.pi),
        (linear_lowf, 16.0, 1.0),
    ],
)
def test_wave_numbers_span_the_range_of_their_kind(
    factory: object, highest: float, lowest: float
) -> None:
    encoding = factory(WaveSpec(), CONTEXT)  # type: ignore[operator]
    assert isinstance(encoding, AxisWaves)
    waves = encoding.wave_numbers
    assert encoding.out_dim == 6 * 16
    assert waves.max().item() == pytest.approx(highest)
    assert waves.min().item() == pytest.approx(lowest)
    steps = waves.diff() if factory is linear_lowf else waves.log().diff()
    torch.testing.assert_close(steps, steps[:1].expand_as(steps), rtol=1e-4, atol=1e-5)


def test_a_single_wave_is_the_highest() -> None:
    assert geom_lowf(WaveSpec(dim=1), CONTEXT).wave_numbers.tolist() == [16.0]


def test_features_are_sines_then_cosines_axis_by_axis() -> None:
    encoding = linear_lowf(WaveSpec(dim=2), CONTEXT)
    x, y, z = 0.1, -0.2, 0.3
    expected = [
        wave(number * value)
        for value in (x, y, z)
        for wave in (math.sin, math.cos)
        for number in (1, 2)
    ]
    torch.testing.assert_close(encoding(torch.tensor([[x, y, z]]))[0], torch.tensor(expected))
