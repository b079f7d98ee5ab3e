"""How strong images are, measured block by block and added up without rounding.

The normalisation and the scale of a cache must not depend on how its images were divided into
blocks and files, nor on the order in which these were done; so every measure here can be combined
in any order with the same result.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class BlockPower:
    """Strength of the images of one block.

    Attributes:
        total: numbers whose exact sum is that of the squared moduli of all images.
        octaves: how many images have a sum of squares of at least 2**(n - 1) and less than 2**n,
            by n; empty images do not count.
        peak: largest number of all, without its sign.
    """

    total: tuple[float, ...] = ()
    octaves: Mapping[int, int] = field(default_factory=dict)
    peak: float = 0.0


def block_power(squares: Tensor, peak: float) -> BlockPower:
    """The power of a block from the (m,) sums of squares of its images and its largest number."""
    present = squares[squares > 0].numpy()
    octaves = Counter(np.frexp(present)[1].tolist())
    return BlockPower(_exact_sum(present.tolist()), dict(octaves), peak)


def joint_power(powers: Iterable[BlockPower]) -> BlockPower:
    """The power of several blocks together, whatever their order."""
    total: list[float] = []
    octaves: Counter[int] = Counter()
    peak = 0.0
    for power in powers:
        total += power.total
        octaves.update(power.octaves)
        peak = max(peak, power.peak)
    return BlockPower(_exact_sum(total), dict(octaves), peak)


def typical_square(power: BlockPower) -> float:
    """Sum of squares of the median image that is not empty, to a factor of the root of two."""
    images, half = 0, sum(power.octaves.values()) / 2
    for octave in sorted(power.octaves):
        images += power.octaves[octave]
        if images >= half:
            return math.sqrt(0.5) * 2.0**octave
    return 0.0


def _exact_sum(values: Sequence[float]) -> tuple[float, ...]:
    """A few numbers with the same sum as ``values``, both taken without rounding."""
    parts: list[float] = []
    while rest := math.fsum([*values, *(-part for part in parts)]):
        parts.append(rest)
    return tuple(parts)
