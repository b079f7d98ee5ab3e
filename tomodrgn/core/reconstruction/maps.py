"""Volumes from coefficients in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tomodrgn.core.reconstruction.insertion import FourierSums, empty_sums, insert
from tomodrgn.core.reconstruction.weights import Attenuation, slice_weights
from tomodrgn.core.reconstruction.wiener import reconstruct_volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc
    from tomodrgn.core.particles.tables import ImageTable, OpticsGroup


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
