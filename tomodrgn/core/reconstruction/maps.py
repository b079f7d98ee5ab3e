"""Volumes from coefficients in memory, and maps with half maps from sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.reconstruction.insertion import FourierSums, empty_sums, insert
from tomodrgn.core.reconstruction.resolution import Resolution, masked_fsc, resolution_at
from tomodrgn.core.reconstruction.weights import Attenuation, slice_weights
from tomodrgn.core.reconstruction.wiener import (
    prior_from_fsc,
    reconstruct_volume,
    shell_weights,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc
    from tomodrgn.core.particles.tables import ImageTable, OpticsGroup

HALF_MAP_PRIOR: Final = 0.1
"""Prior precision in half maps over the mean weight of a shell; it keeps noise in directions that
few images saw from drowning the rest of the shell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HalvedMap:
    """A map, the two maps of its halves, and how far these agree.

    Attributes:
        full: (D, D, D) from all images, each shell damped as the halves support it; masked.
        first: (D, D, D) from one half.
        second: (D, D, D) from the other.
        fsc: (D/2 + 1,) correlation of the halves in the mask.
        resolution: where it falls.
    """

    full: NDArray[np.float32]
    first: NDArray[np.float32]
    second: NDArray[np.float32]
    fsc: NDArray[np.float64]
    resolution: Resolution


def reconstruct(
    coefficients: Tensor,
    images: ImageTable[Tensor],
    optics: Sequence[OpticsGroup],
    disc: HalfPlaneDisc,
    *,
    volume_index: Tensor,
    n_volumes: int,
    attenuation: Attenuation | None = None,
) -> FourierSums:
    """Sums of images over volumes.

    Args:
        coefficients: (M, P) complex, centred.
        images: M rows; shifts are not used.
        optics: the groups that ``images.optics`` counts; their pixel size is that of the volumes.
        disc: the P coefficients.
        volume_index: (M,) int64, the volume of each image, such as its half set.
        n_volumes: V.
        attenuation: what to allow for beyond what was done upstream; nothing by default.
    """
    sums = empty_sums(n_volumes, disc.box_size_px, like=coefficients.real)
    add_images(
        sums, coefficients, images, optics, disc, volume_index=volume_index, attenuation=attenuation
    )
    return sums


def add_images(
    sums: FourierSums,
    coefficients: Tensor,
    images: ImageTable[Tensor],
    optics: Sequence[OpticsGroup],
    disc: HalfPlaneDisc,
    *,
    volume_index: Tensor,
    attenuation: Attenuation | None = None,
) -> None:
    """Add images to sums in place; arguments as in :func:`reconstruct`."""
    freqs = torch.from_numpy(disc.freqs()).to(sums.power)
    weights = slice_weights(
        images, freqs / optics[0].pixel_size_a, optics, attenuation or Attenuation()
    )
    insert(
        sums,
        coefficients,
        weights,
        rotation=images.rotation.to(sums.power),
        disc=disc,
        volume_index=volume_index,
    )


def finish(sums: FourierSums) -> Tensor:
    """(V, D, D, D) volumes without a prior from half sets: no shell is damped."""
    return torch.stack([reconstruct_volume(sums.one(volume)) for volume in range(sums.n_volumes)])


def finish_halves(
    sums: FourierSums,
    halves: tuple[int, int],
    *,
    pixel_size_a: float,
    mask: NDArray[np.floating] | None,
) -> HalvedMap:
    """A map from the sums of its two halves.

    Args:
        sums: V volumes.
        halves: which two of them.
        pixel_size_a: of the maps.
        mask: (D, D, D) where the halves are compared, and what the full map is multiplied with;
            None for the whole box.
    """
    first, second = (_half_map(sums.one(half)) for half in halves)
    curve = masked_fsc(first, second, mask)
    pooled = sums.pooled(list(halves))
    prior = prior_from_fsc(shell_weights(pooled)[0] / 2, curve)
    full = _on_host(reconstruct_volume(pooled, prior))
    return HalvedMap(
        full=full if mask is None else full * mask,
        first=first,
        second=second,
        fsc=curve,
        resolution=resolution_at(curve, pixel_size_a),
    )


def _half_map(sums: FourierSums) -> NDArray[np.float32]:
    prior = HALF_MAP_PRIOR * shell_weights(sums)[0]
    return _on_host(reconstruct_volume(sums, prior))


def _on_host(volume: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = volume.float().cpu().numpy()
    return array
