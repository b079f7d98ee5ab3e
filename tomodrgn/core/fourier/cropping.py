"""Fourier cropping: the same field of view on fewer pixels.

A box of edge D becomes one of edge D' <= D. Frequencies below D'/2 Fourier pixels keep their
coefficients; the Nyquist frequency of the new box, which has no partner there, is dropped. Density
keeps its height in real space, so that unscaled transforms shrink by D'/D along each axis. The
center, pixel D // 2, becomes pixel D' // 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor


def crop_images(images: Tensor, box_size_px: int) -> Tensor:
    """(..., D, D) real images on ``box_size_px`` pixels.

    Raises:
        DataError: a box is odd, or the new one is the larger.
    """
    return _crop(images, box_size_px, n_axes=2)


def crop_volumes(volumes: Tensor, box_size_px: int) -> Tensor:
    """(..., D, D, D) real volumes on ``box_size_px`` pixels.

    Raises:
        DataError: a box is odd, or the new one is the larger.
    """
    return _crop(volumes, box_size_px, n_axes=3)


def require_smaller_box(new_px: int, old_px: int) -> None:
    """Refuse a box that Fourier cropping cannot give.

    Raises:
        DataError: a box is odd, or the new one is the larger.
    """
    if new_px > old_px:
        raise DataError(
            f"downsample: {new_px} px is more than the box of the images, {old_px} px; "
            "give a smaller even number"
        )
    if new_px % 2 or old_px % 2:
        raise DataError(f"downsample: a box of {old_px} px to {new_px} px; both must be even")


def _crop(boxes: Tensor, new_px: int, *, n_axes: int) -> Tensor:
    """Crop the last ``n_axes`` axes in Fourier space.

    The sign (-1)^k that moves the center of a transform to D // 2 is the same in both boxes, so
    plain transforms will do.
    """
    old_px = boxes.shape[-1]
    require_smaller_box(new_px, old_px)
    if new_px == old_px:
        return boxes
    axes = tuple(range(-n_axes, 0))
    half = new_px // 2
    spectra = torch.fft.rfftn(boxes, dim=axes)[..., :half]
    signed = torch.cat([torch.arange(half), torch.arange(1 - half, 0)]).to(boxes.device)
    kept = spectra.new_zeros((*boxes.shape[:-n_axes], *(new_px,) * (n_axes - 1), half + 1))
    if n_axes == 2:  # noqa: PLR2004  images
        kept[..., signed % new_px, :half] = spectra[..., signed % old_px, :]
    else:
        z, y = signed[:, None], signed[None, :]
        kept[..., z % new_px, y % new_px, :half] = spectra[..., z % old_px, y % old_px, :]
    cropped: Tensor = torch.fft.irfftn(kept, s=(new_px,) * n_axes, dim=axes)
    return cropped * (new_px / old_px) ** n_axes
