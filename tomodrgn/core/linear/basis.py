"""The maps of a linear model: projecting them, and solving for them.

A model of Z latents has 1 + Z maps: the mean, then one per latent. Given the moments of
``u = (1, z)`` of each particle, the maps of least squared error solve one small system of equations
per grid point, ``(sum w p <u u^T> + prior) F = sum w s <u>``, s and p being the signal and
power that :mod:`tomodrgn.core.linear.observations` describe and w the precision of the noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.fourier.grids import (
    add_to_grid,
    complete_plane,
    grid_shape,
    grid_shells,
    mean_over_shells,
    read_grid,
    spectra_to_volumes,
    volumes_to_spectra,
)
from tomodrgn.core.fourier.volumes import centred_fft3
from tomodrgn.core.linear.factors import positive_factor

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.linear.observations import Block

_LEAST_PRECISION: Final = 1e-6
"""Prior precision where nothing was seen, as a fraction of the largest weight."""


class MapSpectra:
    """Transforms of maps (C, D, D, D), to be read at the places of a block."""

    def __init__(self, maps: Tensor) -> None:
        spectra = volumes_to_spectra(maps).flatten(1)
        self._real, self._imag = spectra.real.contiguous(), spectra.imag.contiguous()

    def at(self, block: Block) -> Tensor:
        """(C, m, n) complex central slices."""
        slices = [
            torch.complex(read_grid(real, block.where), read_grid(imag, block.where) * fold)
            for real, imag in zip(self._real, self._imag, strict=True)
            for fold in [block.where.fold]
        ]
        return torch.stack(slices).view(len(slices), *block.power.shape)


@dataclass(frozen=True, slots=True, eq=False)
class BasisSums:
    """What has been seen of maps, at every point of a half grid.

    Attributes:
        box_size_px: D of the maps.
        real: (C, points) real part of the weighted signal times each of u.
        imag: its imaginary part.
        power: (C (C + 1) / 2, points) weighted power times each product of two of u, the upper
            triangle by rows.
    """

    box_size_px: int
    real: Tensor
    imag: Tensor
    power: Tensor

    @property
    def n_maps(self) -> int:
        """C."""
        return len(self.real)

    def add(self, block: Block, precision: Tensor, mean: Tensor, moments: Tensor) -> None:
        """Add the images of a block, in place.

        Args:
            block: images of b particles.
            precision: (n,) w of each coefficient.
            mean: (b, C) of u.
            moments: (b, C, C) of u u^T.
        """
        upper = torch.triu_indices(self.n_maps, self.n_maps, device=mean.device)
        per_image = mean[block.owner], moments[:, upper[0], upper[1]][block.owner]
        signal, power = block.signal * precision, block.power * precision
        fold = block.where.fold.view_as(power)
        parts = (signal.real, self.real), (signal.imag * fold, self.imag)
        for values, grids in parts:
            for grid, factor in zip(grids, per_image[0].T, strict=True):
                add_to_grid(grid, block.where, (values * factor[:, None]).reshape(-1))
        for grid, factor in zip(self.power, per_image[1].T, strict=True):
            add_to_grid(grid, block.where, (power * factor[:, None]).reshape(-1))

    def pooled(self, other: BasisSums) -> BasisSums:
        """Sums of both."""
        return BasisSums(
            self.box_size_px,
            self.real + other.real,
            self.imag + other.imag,
            self.power + other.power,
        )

    def without(self, part: BasisSums) -> BasisSums:
        """Less some of what was added."""
        return BasisSums(
            self.box_size_px,
            self.real - part.real,
            self.imag - part.imag,
            self.power - part.power,
        )

    def transformed(self, change: Tensor) -> BasisSums:
        """The sums for other latents, u' = ``change`` (C', C) u."""
        n_new = len(change)
        left, right = torch.triu_indices(n_new, n_new, device=change.device)
        pairs = torch.triu_indices(self.n_maps, self.n_maps, device=change.device)
        products = change[left][:, pairs[0]] * change[right][:, pairs[1]]
        mirrored = change[left][:, pairs[1]] * change[right][:, pairs[0]]
        products = products + torch.where(pairs[0] == pairs[1], 0.0, 1.0) * mirrored
        return BasisSums(
            self.box_size_px, change @ self.real, change @ self.imag, products @ self.power
        )

    def mean_weights(self) -> Tensor:
        """(C, D/2 + 1) mean weight of each map in each shell."""
        first, second = torch.triu_indices(self.n_maps, self.n_maps)
        return mean_over_shells(self.power[first == second], self.box_size_px).float()


def empty_basis_sums(n_maps: int, box_size_px: int, device: torch.device) -> BasisSums:
    """Sums of nothing."""
    n_points = grid_shells(box_size_px).numel()
    pairs = n_maps * (n_maps + 1) // 2
    return BasisSums(
        box_size_px,
        *(torch.zeros(channels, n_points, device=device) for channels in (n_maps, n_maps, pairs)),
    )


def solve_basis(sums: BasisSums, prior: Tensor, mask: Tensor | None) -> Tensor:
    """Maps of least squared error.

    Args:
        sums: what has been seen of C maps.
        prior: (C, D/2 + 1) precision of each map in each shell before the data are seen, in the
            unit of weights.
        mask: (D, D, D) that the maps are multiplied with, or None.

    Returns:
        (C, D, D, D) with a mean of 0.
    """
    box, n_maps = sums.box_size_px, sums.n_maps
    shells = grid_shells(box).to(sums.real.device)
    inside = (shells <= box // 2).nonzero()[:, 0]
    grids = (-1, *grid_shape(box))

    def seen(values: Tensor, parity: int) -> Tensor:
        return complete_plane(values.view(grids), parity).flatten(1)[:, inside]

    left, right = torch.triu_indices(n_maps, n_maps, device=inside.device)
    matrix = sums.real.new_zeros(len(inside), n_maps, n_maps)
    power = seen(sums.power, 1).T
    floor = (_LEAST_PRECISION * power.max()).clamp_min(torch.finfo(power.dtype).tiny)
    matrix[:, left, right] = power
    matrix[:, right, left] = power
    matrix += torch.diag_embed(prior[:, shells[inside]].T.to(matrix).clamp_min(floor))
    right_side = torch.stack([seen(sums.real, 1).T, seen(sums.imag, -1).T], dim=2)
    solution = torch.cholesky_solve(right_side, positive_factor(matrix, "frequencies"))
    spectra = solution.new_zeros((n_maps, len(shells)), dtype=torch.complex64)
    spectra[:, inside] = torch.complex(solution[..., 0], solution[..., 1]).T
    maps = spectra_to_volumes(spectra.view(grids), box)
    if mask is not None:
        outside = 1 - mask  # the level of a map is not measured: it is 0 where no particle is
        level = (maps * outside).sum(dim=(1, 2, 3), keepdim=True) / outside.sum()
        maps = (maps - level) * mask
    return maps - maps.mean(dim=(1, 2, 3), keepdim=True)


def resize_maps(maps: Tensor, box_size_px: int) -> Tensor:
    """Maps (C, D, D, D) in a box of the same extent with more or fewer pixels.

    Coefficients that both boxes hold inside Nyquist stay as they are.
    """
    box = maps.shape[-1]
    if box == box_size_px:
        return maps
    axes = (-3, -2, -1)
    spectra = centred_fft3(maps)
    kept = min(box, box_size_px)
    reach = kept // 2 - 1
    source = slice(box // 2 - reach, box // 2 + reach + 1)
    target = slice(box_size_px // 2 - reach, box_size_px // 2 + reach + 1)
    resized = spectra.new_zeros((len(maps), *(box_size_px,) * 3))
    resized[:, target, target, target] = spectra[:, source, source, source]
    volumes = torch.fft.ifftn(torch.fft.ifftshift(resized, dim=axes), dim=axes).real
    shifted: Tensor = torch.fft.fftshift(volumes, dim=axes)
    return shifted
