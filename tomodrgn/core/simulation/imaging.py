"""What a microscope makes of central slices, and how many images are made at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from tomodrgn.core.physics.ctf import contrast_transfer
from tomodrgn.core.physics.dose import dose_attenuation

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc
    from tomodrgn.core.particles.tables import CtfTable, ImageTable

_BLOCK_BYTES = 16 * 2**20
_BYTES_PER_COEFFICIENT = 160
"""Peak of the temporaries in complex128 and float64."""


def imaged(
    slices: Tensor, images: ImageTable[Tensor], disc: HalfPlaneDisc, pixel_size_a: float
) -> Tensor:
    """(M, P) complex128 slices times contrast transfer and what their dose leaves."""
    freqs_per_a = freqs_px(disc) / pixel_size_a
    radius_per_a = freqs_per_a.norm(dim=-1)
    damage = dose_attenuation(images.dose_e_per_a2, radius_per_a, images.voltage_kv)
    if images.ctf is None:
        return slices * damage
    return slices * damage * contrast_transfer(images.ctf, freqs_per_a)


def defocused(ctf: CtfTable[NDArray[Any]], more_a: NDArray[np.float64]) -> CtfTable[NDArray[Any]]:
    """M contrast transfers with more defocus (M,)."""
    u_a, v_a = ctf.defocus_u_a + more_a, ctf.defocus_v_a + more_a
    return replace(ctf, defocus_u_a=u_a, defocus_v_a=v_a)


def freqs_px(disc: HalfPlaneDisc) -> Tensor:
    """(P, 2) float64 frequencies in cycles/px."""
    return torch.from_numpy(disc.k / disc.box_size_px)


def blocks(n_images: int, disc: HalfPlaneDisc) -> Iterator[slice]:
    """Consecutive slices of images that bound the memory of a block."""
    size = max(1, _BLOCK_BYTES // (_BYTES_PER_COEFFICIENT * len(disc)))
    for start in range(0, n_images, size):
        yield slice(start, min(start + size, n_images))
