from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.analysis.masks import MaskRule, soften, sphere, tight
from tomodrgn.core.errors import DataError

BOX = 30


def blob(x: float) -> np.ndarray:
    axis = np.arange(BOX) - BOX // 2
    squared = axis[:, None, None] ** 2 + axis[:, None] ** 2 + (axis - x) ** 2
    return np.exp(-squared / 8.0)


def test_no_mask_keeps_every_voxel() -> None:
    assert (MaskRule(kind="none")(blob(0), blob(0)) == 1).all()


def test_the_sphere_touches_the_box() -> None:
    mask, middle = sphere(BOX), BOX // 2
    assert mask[middle, middle, 0] == 1
    assert mask[0, 0, 0] == 0
    assert set(np.unique(mask)) == {0, 1}
    assert mask.sum() == pytest.approx(np.pi / 6 * BOX**3, rel=0.02)  # volume of the ball


def test_a_tight_mask_joins_what_is_dense_in_either_volume() -> None:
    first, second = blob(-6), blob(6)
    mask = tight(first, second, 99.0)
    np.testing.assert_array_equal(mask, tight(first, first, 99.0) | tight(second, second, 99.0))
    assert tight(first, first, 99.0).mean() == pytest.approx(0.01, abs=2e-3)


def test_a_soft_mask_is_grown_and_falls_along_a_cosine() -> None:
    dense = np.zeros((BOX, BOX, BOX), bool)
    dense[15, 15, 15] = True
    line = soften(dense, 2, 4)[15, 15, 15:]
    expected = np.cos(0.5 * np.pi * np.array([0, 0, 0, 1, 2, 3, 4]) / 4)
    np.testing.assert_allclose(line[:7], expected, atol=1e-12)
    assert (line[7:] == 0).all()


def test_the_width_of_a_soft_mask_is_a_thirtieth_of_the_box() -> None:
    first = blob(0)
    expected = soften(tight(first, first, 99.0), 1, 1)
    np.testing.assert_array_equal(MaskRule()(first, first), expected)


def test_a_given_mask_is_taken_as_it_is() -> None:
    given = np.random.default_rng(0).random((BOX, BOX, BOX)).astype(np.float32)
    np.testing.assert_array_equal(MaskRule(kind="file", given=given)(blob(0), blob(1)), given)


def test_a_given_mask_of_another_box_is_refused() -> None:
    rule = MaskRule(kind="file", given=np.ones((4, 4, 4), np.float32))
    with pytest.raises(DataError, match=r"\(4, 4, 4\) voxels"):
        rule(blob(0), blob(0))


@pytest.mark.parametrize("kind", ["none", "sphere", "tight", "soft"])
def test_masks_leave_volumes_as_they_are(kind: str) -> None:
    first, second = blob(-3), blob(3)
    before = first.copy(), second.copy()
    MaskRule(kind=kind)(first, second)
    np.testing.assert_array_equal((first, second), before)
