from __future__ import annotations

import base64

import numpy as np
import pytest

from tomodrgn.core.report.points import (
    UNKNOWN,
    Kinds,
    Places,
    ReportPoints,
    encode_points,
    quantise,
)


def points_of(n: int, n_numbers: int = 3, n_dims: int = 4) -> ReportPoints:
    draw = np.random.default_rng(0)
    latents = draw.normal(size=(n, n_dims)).astype(np.float32)
    return ReportPoints(
        maps=[Places(name="PCA", axes=("a", "b"), places=latents[:, :2])],
        kinds={"kmeans2": Kinds(codes=np.arange(n) % 2, names=["0", "1"])},
        numbers={f"column {k}": draw.normal(size=n) for k in range(n_numbers)},
        index=np.arange(n) * 3,
        latents=latents,
    )


def read_back(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype)


def test_quantised_numbers_are_off_by_half_a_step_at_most() -> None:
    values = np.random.default_rng(0).normal(size=1000)
    steps, low, high = quantise(values)
    step = (high - low) / 65534
    assert np.abs(low + steps * step - values).max() <= step * 0.500001
    assert steps.min() == 0
    assert steps.max() == 65534


def test_numbers_that_are_not_finite_stay_unknown() -> None:
    steps, low, high = quantise(np.array([1.0, np.nan, 2.0, np.inf]))
    assert steps.tolist() == [0, UNKNOWN, 65534, UNKNOWN]
    assert (low, high) == (1.0, 2.0)


@pytest.mark.parametrize("value", [np.nan, 3.0])
def test_columns_without_differences_have_a_range(value: float) -> None:
    _, low, high = quantise(np.full(3, value))
    assert high > low


def test_indices_and_latents_survive_exactly() -> None:
    points = points_of(50)
    values = encode_points(points, most_bytes=1_000_000).values
    assert np.array_equal(read_back(values["index"], "<u4"), points.index)
    kept = read_back(values["latents"]["values"], "<f4").reshape(50, 4)
    assert np.array_equal(kept, points.latents)


def test_what_has_no_room_is_left_out_and_named() -> None:
    encoded = encode_points(points_of(1000, n_numbers=40), most_bytes=60_000)
    assert encoded.values["latents"] is not None
    kept = len(encoded.values["numbers"])
    assert 0 < kept < 40
    assert f"column {kept}" in encoded.left_out[0]
    assert f"column {kept - 1}," not in encoded.left_out[0]


def test_latents_go_first_where_room_is_scarce() -> None:
    encoded = encode_points(points_of(1000, n_dims=64), most_bytes=60_000)
    assert encoded.values["latents"] is None
    assert len(encoded.values["numbers"]) == 3
    assert "latents" in encoded.left_out[0]
