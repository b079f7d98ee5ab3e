"""How strong images are, measured block by block and added up without rounding.

The normalization and the scale of a cache must not depend on how its images were divided into
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
        damaged: why images are left out, by row; they are no part of the other numbers.
        n_healed: images of which a few extreme pixels were replaced.
    """

    total: tuple[float, ...] = ()
    octaves: Mapping[int, int] = field(default_factory=dict)
    peak: float = 0.0
    damaged: Mapping[int, int] = field(default_factory=dict)
    n_healed: int = 0


def block_power(
    squares: Tensor, peak: float, damaged: Mapping[int, int] | None = None, n_healed: int = 0
) -> BlockPower:
    """The power of a block from the (m,) sums of squares of its images and its largest number."""
    present = squares[squares > 0].numpy()
    octaves = Counter(np.frexp(present)[1].tolist())
    return BlockPower(
        _exact_sum(present.tolist()), dict(octaves), peak, dict(damaged or {}), n_healed
    )


def joint_power(powers: Iterable[BlockPower]) -> BlockPower:
    """The power of several blocks together, whatever their order."""
    total: list[float] = []
    octaves: Counter[int] = Counter()
    damaged: dict[int, int] = {}
    peak, n_healed = 0.0, 0
    for power in powers:
        damaged |= power.damaged
        n_healed += power.n_healed
        total += power.total
        octaves.update(power.octaves)
        peak = max(peak, power.peak)
    return BlockPower(_exact_sum(total), dict(octaves), peak, damaged, n_healed)


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
