"""How the images of a class differ from all images: maps of what the common map leaves unexplained.

A difference is reconstructed from residuals, so that views which a class lacks add nothing to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.fourier.grids import complete_plane
from tomodrgn.core.reconstruction.insertion import FourierSums
from tomodrgn.core.reconstruction.wiener import reconstruct_volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

EXPECTED_POWER: Final = 0.1
"""Power of a difference over that of the common map, as expected before the data are seen. It only
decides how strongly noise is damped, which no verdict depends on much."""


def difference_maps(sums: FourierSums, members: list[int], prior: Tensor) -> Iterator[Tensor]:
    """The common map of some volumes, then the difference of each from it.

    Args:
        sums: V volumes.
        members: the volumes that together make the common map.
        prior: (D/2 + 1,) precision of each shell of the common map, in the unit of weights.

    Yields:
        (D, D, D) each, 1 + number of members.
    """
    pooled = sums.pooled(members)
    yield reconstruct_volume(pooled, prior)
    power = complete_plane(pooled.power[0], 1).clamp_min(torch.finfo(pooled.power.dtype).tiny)
    real = complete_plane(pooled.real[0], 1).div_(power)
    imag = complete_plane(pooled.imag[0], -1).div_(power)
    for member in members:
        own = sums.one(member)
        residual = FourierSums(
            sums.box_size_px,
            own.real - own.power * real,
            own.imag - own.power * imag,
            own.power,
        )
        yield reconstruct_volume(residual, prior / EXPECTED_POWER)
