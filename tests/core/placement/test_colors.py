"""Labels of every kind get colors, and the legend says which."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tomodrgn.core.placement.colors import (
    PALETTE,
    UNKNOWN,
    color_by_value,
    color_in_turn,
    color_spread,
    is_gradual,
)


def gray(fractions: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.repeat((255 * fractions).astype(np.uint8)[:, None], 3, axis=1)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([5, -3, 5, 900]),
        np.array([5.0, -3.0, 5.0, 900.0]),
        np.array(["b", "a", "b", "c"], dtype=object),
        np.array([np.nan, 1.0, np.nan, 2.0]),
    ],
)
def test_any_labels_take_colors_in_turn(labels: NDArray[np.generic]) -> None:
    colors = color_in_turn(labels, PALETTE)
    assert (colors.rgb[0] == colors.rgb[2]).all()
    assert len(np.unique(colors.rgb, axis=0)) == 3
    assert colors.entry is not None
    np.testing.assert_array_equal(colors.legend[colors.entry], colors.rgb)


def test_labels_are_named_in_sorted_order() -> None:
    assert color_in_turn(np.array([10, 9, 2]), PALETTE).meaning == ("2", "9", "10")
    assert color_in_turn(np.array([1.0, 0.0]), PALETTE).meaning == ("0", "1")


def test_colors_repeat_after_the_last() -> None:
    colors = color_in_turn(np.arange(25), PALETTE)
    np.testing.assert_array_equal(colors.rgb[20:], PALETTE[:5])


def test_labels_spread_over_a_gradient() -> None:
    assert color_spread(np.array([7, 3, 7, 9, 11]), gray).rgb[:, 0].tolist() == [
        63,
        0,
        63,
        127,
        191,
    ]


def test_measurements_span_the_gradient_and_gaps_are_grey() -> None:
    colors = color_by_value(np.array([2.5, np.nan, 7.5, 5.0]), gray)
    assert colors.rgb[:, 0].tolist() == [0, UNKNOWN[0], 255, 127]
    assert (colors.meaning[0], colors.meaning[-1]) == ("2.5", "7.5")
    assert colors.entry is None


def test_equal_measurements_have_one_color() -> None:
    assert (color_by_value(np.array([0.5, 0.5]), gray).rgb == 0).all()


def test_only_fractions_are_measurements() -> None:
    assert is_gradual(np.array([0.5, 1.0]))
    assert not is_gradual(np.array([0.0, 1.0]))
    assert not is_gradual(np.array([0, 1]))
    assert not is_gradual(np.array(["0.5"], dtype=object))
    assert not is_gradual(np.array([np.nan]))


def test_some_particles_keep_their_colors() -> None:
    colors = color_in_turn(np.array(["b", "a", "c"], dtype=object), PALETTE)
    some = colors.take(np.array([2, 0]))
    np.testing.assert_array_equal(some.rgb, colors.rgb[[2, 0]])
    assert some.meaning == ("a", "b", "c")
