"""Two models of independent halves of the particles: one frame for both, and how far they agree.

The latents of each half are known up to a rotation. It is chosen such that the maps agree best, in
the order of what they share. A shell is compared in the rotation that the other shells give, and
each map without its share of those before it, so that agreement by chance averages to zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.fourier.shells import shell_indices
from tomodrgn.core.fourier.volumes import centred_fft3

if TYPE_CHECKING:
    from torch import Tensor

_LEAST_FSC: Final = 1e-3
_LARGEST_FSC: Final = 0.999
_TINY: Final = 1e-30
_WINDOW_OVER_BOX: Final = 0.05
"""Standard deviation of the windows in which maps are compared locally, in edges of the box."""
_DEPENDENT: Final = 1e-9
"""Share of a map beyond those before it, below which it counts as none."""


@dataclass(frozen=True, slots=True)
class Grams:
    """Products of maps of two halves, summed over each shell: (shells, K, K) each."""

    cross: Tensor
    first: Tensor
    second: Tensor

    def turned(self, first: Tensor, second: Tensor) -> Grams:
        """For maps V ``first`` and V ``second`` (K, K) instead of V."""
        return Grams(
            first.T @ self.cross @ second,
            first.T @ self.first @ first,
            second.T @ self.second @ second,
        )

    def without(self, shells: slice) -> Tensor:
        """(K, K) cross products of all other shells."""
        total: Tensor = self.cross.sum(0) - self.cross[shells].sum(0)
        return total


def grams_of(first: Tensor, second: Tensor, weights: Tensor) -> Grams:
    """Of maps (K, D, D, D), shells weighted (D/2 + 1,)."""
    shells = shells_of(first.shape[-1], first.device)
    inside = shells < len(weights)
    order = shells[inside]
    spectra = [centred_fft3(maps).flatten(1)[:, inside] for maps in (first, second)]

    def products(left: Tensor, right: Tensor) -> Tensor:
        total = left.real.new_zeros((len(weights), len(left), len(right)), dtype=torch.float64)
        for row, one in enumerate(left):
            for column, other in enumerate(right):
                values = (one.conj() * other).real.double()
                total[:, row, column] = torch.bincount(order, values, minlength=len(weights))
        return total * weights.double()[:, None, None]

    one, other = spectra
    return Grams(products(one, other), products(one, one), products(other, other))


def common_frame(grams: Grams) -> tuple[Tensor, Tensor]:
    """Rotations (K, K) of both halves after which map k of one belongs to map k of the other."""
    left, _, right = torch.linalg.svd(grams.cross.sum(0))
    return left, right.T


def honest_fsc(grams: Grams) -> Tensor:
    """(K, shells) correlation of maps in their common frame, which is free of chance agreement.

    Neighboring shells are averaged, as there are few coefficients at low resolution.
    """
    n_shells, n_maps = len(grams.cross), grams.cross.shape[1]
    counts = torch.arange(n_shells, dtype=torch.float64).square()
    curves = torch.zeros(n_maps, n_shells, dtype=torch.float64)
    identity = torch.eye(n_maps, dtype=torch.float64, device=grams.cross.device)
    for shell in range(1, n_shells):
        near = slice(max(1, shell - 1), min(n_shells, shell + 2))
        left, _, right = torch.linalg.svd(grams.without(near))
        turned = grams.turned(identity, right.T @ left.T)
        clean = turned.turned(_deflation(turned.first), _deflation(turned.second))
        cross, first, second = (
            part[near].diagonal(dim1=1, dim2=2) for part in (clean.cross, clean.first, clean.second)
        )
        norm = (first.clamp_min(0) * second.clamp_min(0)).sqrt()
        fsc = torch.where(norm > _TINY, cross / norm.clamp_min(_TINY), 0.0).clamp(-1, 1).cpu()
        share = counts[near].clone()
        share[shell - near.start] *= 2
        curves[:, shell] = (fsc * share[:, None]).sum(0) / share.sum()
    return curves


def wiener_prior(weights: Tensor, fsc: Tensor) -> Tensor:
    """Precision that the agreement of halves supports, of (C, shells) mean weights of one half."""
    correlation = fsc.clamp(_LEAST_FSC, _LARGEST_FSC).to(weights)
    return weights * (1 - correlation) / correlation


def smooth_fsc(first: Tensor, second: Tensor) -> Tensor:
    """(D/2 + 1,) correlation of two maps (D, D, D), averaged over neighboring shells."""
    weights = torch.ones(first.shape[-1] // 2 + 1, device=first.device)
    curves = honest_fsc(grams_of(first[None], second[None], weights))
    return curves[0]


def mean_map_fsc(first: Tensor, second: Tensor) -> Tensor:
    """(D/2 + 1,) correlation of mean maps, not less than its standard error in each shell.

    There is a mean map at every resolution: where halves agree less than by chance, it is not known
    that there is none, and to damp a shell altogether leaves in it what a mask spreads there.
    """
    curve = smooth_fsc(first, second)
    n_independent = torch.pi * torch.arange(len(curve)).clamp_min(1).square()  # in half a sphere
    return torch.maximum(curve, 1 / n_independent.sqrt())


def where_alike(first: Tensor, second: Tensor) -> Tensor:
    """(D, D, D) share of the local power of two maps (D, D, D) that both have.

    It is nearly 1 in a molecule and small in the solvent, which no filter of shells tells apart: a
    map times this is the best guess of the density there.

    Source:
        Wiener's filter with the correlation of half maps in a window about each voxel; Cardone et
        al. 2013, doi:10.1016/j.jsb.2013.08.002 (local windows).
    """
    width_px = _WINDOW_OVER_BOX * first.shape[-1]
    both = _blurred((first.square() + second.square()) / 2, width_px)
    return (_blurred(first * second, width_px) / both.clamp_min(_TINY)).clamp(0, 1)


def _blurred(volume: Tensor, width_px: float) -> Tensor:
    """A volume (D, D, D) after a Gaussian of some standard deviation."""
    freqs = torch.fft.fftfreq(volume.shape[-1], device=volume.device)
    kept = torch.exp(-2 * (torch.pi * width_px * freqs).square()).to(volume)
    spectrum = torch.fft.fftn(volume) * kept[:, None, None] * kept[:, None] * kept
    blurred: Tensor = torch.fft.ifftn(spectrum).real
    return blurred


def _deflation(gram: Tensor) -> Tensor:
    """(K, K) takes from each map its share of those before it (Gram and Schmidt)."""
    total = gram.sum(0)
    scale = total.diagonal().clamp_min(_TINY).sqrt()
    normal = total / scale[:, None] / scale
    change = torch.eye(len(total), dtype=total.dtype, device=total.device)
    for k in range(1, len(total)):
        inverse = torch.linalg.pinv(normal[:k, :k], rtol=_DEPENDENT, hermitian=True)
        change[:k, k] = -inverse @ normal[:k, k]
    return change / scale[:, None]


def shells_of(box_size_px: int, device: torch.device) -> Tensor:
    """(D^3,) shell of each coefficient of a centred transform."""
    axis = np.arange(box_size_px) - box_size_px // 2
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    return torch.from_numpy(shell_indices(radius).ravel()).to(device)
