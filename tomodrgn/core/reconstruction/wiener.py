"""From sums to volumes: Wiener division, the inverse transform and the gridding correction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.fourier.grids import (
    complete_plane,
    grid_shells,
    mean_over_shells,
    spectra_to_volumes,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.reconstruction.insertion import FourierSums

WEIGHT_FLOOR: Final = 1e-3
"""Least prior precision, as a fraction of the mean weight of a shell."""

_LEAST_FSC: Final = 1e-3


def shell_weights(sums: FourierSums) -> Tensor:
    """(V, D/2 + 1) float64 mean weight of the grid points of each shell."""
    return mean_over_shells(sums.power.flatten(1), sums.box_size_px)


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
    shells = grid_shells(sums.box_size_px).to(sums.power.device)
    per_point = torch.cat([precision, beyond]).to(sums.power)[shells]
    power = complete_plane(sums.power[0], 1).add_(per_point.view(sums.power[0].shape))
    tiny = torch.finfo(power.dtype).tiny
    power.clamp_min_(tiny)
    real = complete_plane(sums.real[0], 1).div_(power)
    imag = complete_plane(sums.imag[0], -1).div_(power)
    volume = spectra_to_volumes(torch.complex(real, imag), sums.box_size_px)
    volume -= volume.mean()
    return volume
