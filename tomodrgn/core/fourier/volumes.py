"""Centered transforms of volumes, from and to the half-ball that a decoder is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.conventions import NYQUIST
from tomodrgn.core.device_transfer import send

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class HalfBall:
    """Integer frequencies (kx, ky, kz) of a box with kz <= 0, one of each pair +k and -k, no DC."""

    box_size_px: int
    k: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.k)


@lru_cache(maxsize=8)
def half_ball(box_size_px: int, radius_px: float | None = None) -> HalfBall:
    """Frequencies with 0 < r < ``radius_px`` (half the box by default)."""
    half = box_size_px // 2
    limit = NYQUIST * box_size_px if radius_px is None else radius_px
    kz, ky, kx = np.mgrid[-half + 1 : 1, -half + 1 : half, -half + 1 : half]
    one_of_pair = (kz < 0) | (ky < 0) | ((ky == 0) & (kx < 0))
    keep = one_of_pair & (kx**2 + ky**2 + kz**2 < limit**2)
    return HalfBall(box_size_px, np.stack([kx[keep], ky[keep], kz[keep]], axis=1).astype(np.int64))


def half_ball_to_volumes(coefficients: Tensor, ball: HalfBall) -> Tensor:
    """Real volumes with the coefficients given, zero elsewhere and at DC.

    Args:
        coefficients: (V, K) complex.
        ball: where they belong.

    Returns:
        (V, D, D, D) real volumes, [z, y, x].
    """
    box = ball.box_size_px
    kx, ky, kz = send(ball.k, coefficients.device).T
    values = coefficients * (1.0 - 2.0 * ((kx + ky + kz) % 2))
    # rfftn halves x: store each value at the member of its pair that has kx >= 0
    flip = kx < 0
    sign = torch.where(flip, -1, 1)
    values = torch.where(flip, values.conj(), values)
    x, y, z = kx * sign, (ky * sign) % box, (kz * sign) % box
    spectra = values.new_zeros((len(values), box, box, box // 2 + 1))
    spectra[:, z, y, x] = values
    # of these, both members of the pair lie in the half spectrum
    plane = send(np.flatnonzero(ball.k[:, 0] == 0), coefficients.device)
    spectra[:, -z[plane] % box, -y[plane] % box, 0] = values[:, plane].conj()
    volumes: Tensor = torch.fft.irfftn(spectra, s=(box, box, box), dim=(-3, -2, -1))
    return volumes


def volumes_to_half_ball(volumes: Tensor, ball: HalfBall) -> Tensor:
    """(V, K) complex coefficients of volumes (V, D', D', D'), whose box may be the larger."""
    box = volumes.shape[-1]
    kx, ky, kz = send(ball.k, volumes.device).T
    spectra = torch.fft.fftn(volumes, dim=(-3, -2, -1))
    signs = 1.0 - 2.0 * ((kx + ky + kz) % 2).to(volumes.dtype)
    coefficients: Tensor = spectra[:, kz % box, ky % box, kx % box] * signs
    return coefficients


def centred_fft3(volumes: Tensor) -> Tensor:
    """(..., D, D, D) centered unscaled transform; index D//2 is DC on every axis."""
    axes = (-3, -2, -1)
    spectra = torch.fft.fftn(torch.fft.ifftshift(volumes, dim=axes), dim=axes)
    centred: Tensor = torch.fft.fftshift(spectra, dim=axes)
    return centred


def mirror_z(volumes: Tensor) -> Tensor:
    """Volumes (..., D, D, D) of the other hand, mirrored at the plane of their center D//2.

    Reversing the sections of an even box alone would move the center by a pixel.
    """
    return volumes.flip(-3).roll(1 - volumes.shape[-3] % 2, -3)


def lowpass(volumes: Tensor, *, pixel_size_a: float, resolution_a: float) -> Tensor:
    """Volumes (V, D, D, D) without frequencies above 1 / ``resolution_a``, lengths in angstrom."""
    box = volumes.shape[-1]
    spectra = torch.fft.rfftn(volumes, dim=(-3, -2, -1))
    axis = torch.fft.fftfreq(box, device=volumes.device)
    half = torch.fft.rfftfreq(box, device=volumes.device)
    squared = axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + half**2
    spectra = spectra * (squared <= (pixel_size_a / resolution_a) ** 2)
    filtered: Tensor = torch.fft.irfftn(spectra, s=(box,) * 3, dim=(-3, -2, -1))
    return filtered
