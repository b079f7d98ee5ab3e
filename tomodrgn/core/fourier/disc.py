"""The half-plane disc: every independent coefficient of a real image, sorted by radius.

An image of even box D has a Hermitian transform, so the integer frequencies (kx, ky) with
``ky > 0 or (ky == 0 and kx > 0)`` and radius ``0 < r < D/2`` hold all of its disc. Sorted by
radius, a circular mask or a dose mask is a prefix: one integer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.conventions import NYQUIST
from tomodrgn.core.device_transfer import send
from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class HalfPlaneDisc:
    """Integer frequencies of a box, ascending in radius.

    Attributes:
        box_size_px: even box edge D.
        k: (P, 2) int64, (kx, ky).
        radius_px: (P,) float64, length of ``k``.
    """

    box_size_px: int
    k: NDArray[np.int64]
    radius_px: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.k)

    def freqs(self) -> NDArray[np.float32]:
        """(P, 2) cycles/px."""
        return (self.k / self.box_size_px).astype(np.float32)

    def prefix(self, radius_px: float) -> int:
        """Number of coefficients with radius below or at ``radius_px``."""
        return int(np.searchsorted(self.radius_px, radius_px, side="right"))


@lru_cache(maxsize=16)
def half_plane_disc(box_size_px: int, extent: float = NYQUIST) -> HalfPlaneDisc:
    """The disc of a box, up to radius ``extent * box_size_px`` exclusive.

    Raises:
        DataError: the box is odd or smaller than 4 px, or the extent leaves nothing of it.
    """
    if box_size_px % 2 or box_size_px < 4:  # noqa: PLR2004  no disc below 4
        raise DataError(f"box size {box_size_px} px is not even and at least 4; crop or pad images")
    half = box_size_px // 2
    ky, kx = np.mgrid[0:half, -half + 1 : half]
    radius = np.hypot(kx, ky)
    keep = ((ky > 0) | ((ky == 0) & (kx > 0))) & (radius < extent * box_size_px)
    if not keep.any():
        raise DataError(
            f"extent {extent} leaves no coefficient of a box of {box_size_px} px; "
            f"more than {1 / box_size_px:g} cycles/px are needed (--l-extent)"
        )
    kx, ky, radius = kx[keep], ky[keep], radius[keep]
    order = np.argsort(radius, kind="stable")
    k = np.stack([kx, ky], axis=1)[order].astype(np.int64)
    return HalfPlaneDisc(box_size_px, k, radius[order])


def images_to_disc(images: Tensor, disc: HalfPlaneDisc) -> Tensor:
    """Centered Fourier coefficients of real images on a disc.

    Args:
        images: (M, D, D) float32 or float64, [y, x].
        disc: coefficients to keep.

    Returns:
        (M, P, 2) real and imaginary parts, unscaled.
    """
    if not len(images):  # MKL does not transform nothing
        return images.new_zeros((0, len(disc), 2))
    box = disc.box_size_px
    spectra = torch.fft.rfftn(images, dim=(-1, -2))  # (M, D//2+1 in y, D in x)
    kx, ky = send(disc.k, images.device).T
    centred = 1.0 - 2.0 * ((kx + ky) % 2).to(images.dtype)  # center at D//2: (-1)^(kx + ky)
    picked = spectra[:, ky, kx % box] * centred
    return torch.view_as_real(picked)


def disc_to_images(coefficients: Tensor, disc: HalfPlaneDisc) -> Tensor:
    """Real images whose coefficients are those given, and zero elsewhere.

    Inverse of :func:`images_to_disc` on its range.

    Args:
        coefficients: (M, P, 2).
        disc: where they belong.

    Returns:
        (M, D, D) real images.
    """
    box = disc.box_size_px
    if not len(coefficients):
        return coefficients.new_zeros((0, box, box))
    kx, ky = send(disc.k, coefficients.device).T
    centred = 1.0 - 2.0 * ((kx + ky) % 2).to(coefficients.dtype)
    values = torch.view_as_complex(coefficients.contiguous()) * centred
    spectra = values.new_zeros((len(values), box // 2 + 1, box))
    spectra[:, ky, kx % box] = values
    # of these, both k and -k lie in the half spectrum
    on_axis = send(np.flatnonzero(disc.k[:, 1] == 0), coefficients.device)
    spectra[:, 0, (-kx[on_axis]) % box] = values[:, on_axis].conj()
    images: Tensor = torch.fft.irfftn(spectra, s=(box, box), dim=(-1, -2))
    return images


def shift_phases(freqs: Tensor, shift_px: Tensor) -> Tensor:
    """Factors that move image content by ``shift_px``.

    Args:
        freqs: (P, 2) cycles/px.
        shift_px: (M, 2), (x, y).

    Returns:
        (M, P) complex, exp(-2 pi i k.t).
    """
    angle = -2 * torch.pi * (shift_px @ freqs.T)
    return torch.polar(torch.ones_like(angle), angle)
