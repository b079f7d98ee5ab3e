"""From sums to volumes: Wiener division, the inverse transform and the gridding correction."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.reconstruction.insertion import OVERSAMPLING, FourierSums, grid_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

WEIGHT_FLOOR: Final = 1e-3
"""Least prior precision, as a fraction of the mean weight of a shell."""

_LEAST_FSC: Final = 1e-3


def shell_weights(sums: FourierSums) -> Tensor:
    """(V, D/2 + 1) float64 mean weight of the grid points of each shell."""
    shells = _shells_of(sums)
    n_shells = sums.box_size_px // 2 + 1
    n_points = torch.bincount(shells, minlength=n_shells + 1).clamp_min(1)
    means = [
        torch.bincount(shells, power.reshape(-1).double(), minlength=n_shells + 1) / n_points
        for power in sums.power
    ]
    return torch.stack(means)[:, :n_shells]


def prior_from_fsc(half_weights: Tensor, fsc: NDArray[np.float64]) -> Tensor:
    """Prior precision that the agreement of two halves supports.

    Args:
        half_weights: (D/2 + 1,) mean weight of the shells of one half.
        fsc: (D/2 + 1,) correlation of the halves.

    Returns:
        (D/2 + 1,) in the unit of weights: that of the noise over the power of the signal.

    Source:
        Scheres 2012, doi:10.1016/j.jmb.2011.11.010: signal-to-noise FSC / (1 - FSC).
    """
    correlation = torch.from_numpy(np.clip(fsc, _LEAST_FSC, 1.0)).to(half_weights)
    return half_weights * (1 - correlation) / correlation


def reconstruct_volume(sums: FourierSums, prior: Tensor | None = None) -> Tensor:
    """(D, D, D) volume of sums of one volume, [z, y, x], with a mean of 0.

    Args:
        sums: one volume.
        prior: (D/2 + 1,) precision of each shell before the data are seen, in the unit of weights;
            never less than a thousandth of the mean weight of the shell.
    """
    floor = WEIGHT_FLOOR * shell_weights(sums)[0]
    precision = floor if prior is None else torch.maximum(prior.to(floor), floor)
    beyond = precision.new_full((1,), torch.inf)
    per_point = torch.cat([precision, beyond]).to(sums.power)[_shells_of(sums)]
    power = _completed(sums.power[0], 1).add_(per_point.view(sums.power[0].shape))
    tiny = torch.finfo(power.dtype).tiny
    power.clamp_min_(tiny)
    real = _completed(sums.real[0], 1).div_(power)
    imag = _completed(sums.imag[0], -1).div_(power)
    volume = _to_real_space(torch.complex(real, imag), sums.box_size_px)
    volume /= _gridding(sums.box_size_px).to(volume)
    volume -= volume.mean()
    return volume


def _completed(grid: Tensor, parity: int) -> Tensor:
    """A copy of a half grid whose plane x = 0 has what was inserted at -k, too."""
    grid = grid.clone()
    plane = grid[:, :, 0]
    grid[:, :, 0] = plane + parity * plane.flip(0, 1)
    return grid


def _to_real_space(spectrum: Tensor, box_size_px: int) -> Tensor:
    """Central box of the volume whose centred oversampled half spectrum is given.

    The spectrum is used up.
    """
    edge = OVERSAMPLING * box_size_px
    reach = edge // 2  # even, so that index and frequency have the same parity
    for axis in (0, 1, 2):
        signs = 1 - 2 * (torch.arange(spectrum.shape[axis], device=spectrum.device) % 2)
        spectrum *= signs.view([-1 if axis == other else 1 for other in range(3)])
    spectrum = torch.fft.ifftshift(spectrum[:edge, :edge], dim=(0, 1))
    padded: Tensor = torch.fft.irfftn(spectrum, s=(edge,) * 3)
    first = reach - box_size_px // 2
    inner = slice(first, first + box_size_px)
    return padded[inner, inner, inner].clone()


def _shells_of(sums: FourierSums) -> Tensor:
    """(points,) int32 shell of each grid point; D/2 + 1 beyond the box."""
    return _grid_shells(sums.box_size_px).to(sums.power.device)


@lru_cache(maxsize=2)
def _grid_shells(box_size_px: int) -> Tensor:
    width = grid_shape(box_size_px)[-1]
    centred = torch.arange(1 - width, width, dtype=torch.float32).square()
    half = torch.arange(width, dtype=torch.float32).square()
    radius = (centred[:, None, None] + centred[:, None] + half).sqrt_() / OVERSAMPLING
    shells = radius.ceil().to(torch.int32)  # b - 1 < r <= b
    shells[radius >= box_size_px // 2] = box_size_px // 2 + 1
    return shells.reshape(-1)


def _gridding(box_size_px: int) -> Tensor:
    """(D, D, D) what trilinear sharing leaves of a volume, sinc^2 along each axis.

    Source:
        The transform of a triangle of half width 1 / (2D) in cycles/px.
    """
    axis = (torch.arange(box_size_px, dtype=torch.float64) - box_size_px // 2) / box_size_px
    left = torch.sinc(axis / OVERSAMPLING).square()
    return left[:, None, None] * left[:, None] * left
