from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.fourier.shells import fsc
from tomodrgn.core.reconstruction.resolution import masked_fsc, resolution_at, spherical_mask


def test_resolution_lies_between_shells() -> None:
    curve = np.array([1.0, 1.0, 0.9, 0.343, -0.057, 0.0, 0.0])  # box 12
    found = resolution_at(curve, pixel_size_a=2.0)
    assert found.resolution_a == pytest.approx(12 * 2.0 / 3.5)
    assert not found.is_beyond_nyquist


def test_curve_that_never_falls_is_better_than_nyquist() -> None:
    found = resolution_at(np.ones(7), pixel_size_a=2.0)
    assert (found.resolution_a, found.is_beyond_nyquist) == (4.0, True)
    assert str(found) == "better than 4.00 A"


def test_curve_that_starts_below_has_the_resolution_of_the_first_shell() -> None:
    found = resolution_at(np.zeros(7), pixel_size_a=2.0)
    assert found.resolution_a == 24.0


def test_the_first_fall_counts() -> None:
    curve = np.array([1.0, 1.0, 0.0, 1.0, 1.0])
    assert resolution_at(curve, pixel_size_a=1.0).resolution_a > 8 / 2


def test_mask_is_one_within_and_zero_beyond() -> None:
    mask = spherical_mask(20, 0.5, 0.2)
    assert mask[10, 10, 15] == 1.0
    assert mask[10, 10, 17] == 0.0
    assert 0 < mask[10, 10, 16] < 1


def test_masking_leaves_the_volumes_alone() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 8, 8, 8))
    before = first.copy()
    masked_fsc(first, second, spherical_mask(8, 0.5))
    np.testing.assert_array_equal(first, before)
    np.testing.assert_array_equal(masked_fsc(first, second, None), fsc(first, second))
