"""Power adds up to the same numbers, however images are divided."""

from __future__ import annotations

import math

import numpy as np
import torch

from tomodrgn.core.cache.power import block_power, joint_power, typical_square


def test_division_and_order_change_no_bit() -> None:
    rng = np.random.default_rng(0)
    squares = torch.from_numpy(rng.uniform(size=1000) * 10.0 ** rng.integers(-20, 20, 1000))
    whole = block_power(squares, 3.0)
    for sizes in ([1] * 1000, [999, 1], [500, 300, 200]):
        blocks = [block_power(part, 3.0) for part in squares.split(sizes)]
        joint = joint_power(reversed(blocks))
        assert joint == whole
    assert whole.total[0] == math.fsum(squares.tolist())


def test_the_typical_image_is_the_median_of_those_that_are_not_empty() -> None:
    squares = torch.tensor([0, 0, 0, 0, 5, 6, 7, 1e9], dtype=torch.float64)
    assert 4 <= typical_square(block_power(squares, 1.0)) < 8


def test_no_images_have_no_power() -> None:
    power = joint_power([block_power(torch.zeros(3, dtype=torch.float64), 0.0)])
    assert (power.total, typical_square(power), power.peak) == ((), 0.0, 0.0)
