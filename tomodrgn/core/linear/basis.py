"""The maps of a linear model: projecting them, and solving for them.

A model of Z latents has 1 + Z maps: the mean, then one per latent. Given the moments of
``u = (1, z)`` of each particle, the maps of least squared error solve one small system of equations
per grid point, ``(sum w p <u u^T> + prior) F = sum w s <u>``, s and p being the signal and
power that :mod:`tomodrgn.core.linear.observations` describe and w the precision of the noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import torch

from tomodrgn.core.fourier.grid_rows import RowSums, read_rows
from tomodrgn.core.fourier.grids import (
    grid_shape,
    grid_shells,
    mean_over_shells,
    spectra_to_volumes,
    volumes_to_spectra,
)
from tomodrgn.core.fourier.volumes import centred_fft3
from tomodrgn.core.linear.point_systems import solve_points

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.linear.observations import Block

_LEAST_PRECISION: Final = 1e-6
"""Prior precision where nothing was seen, as a fraction of the largest weight."""
_POINTS_AT_ONCE: Final = 2**14


class MapSpectra:
    """Transforms of maps (C, D, D, D), to be read at the places of a block."""

    def __init__(self, maps: Tensor) -> None:
        spectra = volumes_to_spectra(maps).flatten(1)
        self._n_maps = len(spectra)
        self._rows = maps.new_empty((spectra.shape[1], 2 * self._n_maps))
        self._rows[:, : self._n_maps] = spectra.real.T
        self._rows[:, self._n_maps :] = spectra.imag.T

    def side_by_side(self, block: Block) -> Tensor:
        """(m, n, 2, C) central slices: real and imaginary parts of all maps at each coefficient."""
        values = read_rows(self._rows, block.where)
        values[:, self._n_maps :] *= block.where.fold[:, None]
        return values.view(*block.power.shape, 2, self._n_maps)

    def at(self, block: Block) -> Tensor:
        """(C, m, n) complex central slices."""
        return _complex(self.side_by_side(block))

    def mixed(self, block: Block, weights: Tensor) -> Tensor:
        """(Q, m, n) complex slices of Q sums of maps, with weights (m, C, Q) of each image."""
        slices = self.side_by_side(block)
        mixed = slices.flatten(1, 2) @ weights
        return _complex(mixed.view(*slices.shape[:3], -1))


def _complex(parts: Tensor) -> Tensor:
    """(C, m, n) of real and imaginary parts (m, n, 2, C)."""
    return torch.view_as_complex(parts.permute(3, 0, 1, 2).contiguous())


@dataclass(frozen=True, slots=True, eq=False)
class BasisSums:
    """What has been seen of maps, at every point of a half grid.

    Attributes:
        box_size_px: D of the maps.
        n_maps: C.
        rows: (points, C + C + C (C + 1) / 2) the real parts, the imaginary parts and the powers of
            a point, side by side.
    """

    box_size_px: int
    n_maps: int
    rows: Tensor

    @property
    def real(self) -> Tensor:
        """(C, points) real part of the weighted signal times each of u."""
        return self.rows[:, : self.n_maps].T

    @property
    def imag(self) -> Tensor:
        """(C, points) its imaginary part."""
        return self.rows[:, self.n_maps : 2 * self.n_maps].T

    @property
    def power(self) -> Tensor:
        """(pairs, points) weighted power times each product of two of u: upper triangle by rows."""
        return self.rows[:, 2 * self.n_maps :].T

    def add(self, block: Block, precision: Tensor, mean: Tensor, moments: Tensor) -> None:
        """Add the images of a block, in place.

        Arguments as :meth:`BasisCollector.add`, such as mean (b, C).
        """
        collector = BasisCollector(self)
        collector.add(block, precision, mean, moments)
        collector.finish()

    def pooled(self, other: BasisSums) -> BasisSums:
        """Sums of both."""
        return replace(self, rows=self.rows + other.rows)

    def without(self, part: BasisSums) -> BasisSums:
        """Less some of what was added."""
        return replace(self, rows=self.rows - part.rows)

    def transformed(self, change: Tensor) -> BasisSums:
        """The sums for other latents, u' = ``change`` (C', C) u."""
        n_new = len(change)
        left, right = torch.triu_indices(n_new, n_new, device=change.device)
        pairs = torch.triu_indices(self.n_maps, self.n_maps, device=change.device)
        products = change[left][:, pairs[0]] * change[right][:, pairs[1]]
        mirrored = change[left][:, pairs[1]] * change[right][:, pairs[0]]
        products = products + torch.where(pairs[0] == pairs[1], 0.0, 1.0) * mirrored
        together = torch.block_diag(change, change, products)
        return BasisSums(self.box_size_px, n_new, self.rows @ together.T)

    def mean_weights(self) -> Tensor:
        """(C, D/2 + 1) mean weight of each map in each shell."""
        first, second = torch.triu_indices(self.n_maps, self.n_maps)
        return mean_over_shells(self.power[first == second], self.box_size_px).float()


class BasisCollector:
    """Adds blocks to sums; all of them are there once it has finished.

    Args:
        sums: where to add, in place.
    """

    def __init__(self, sums: BasisSums) -> None:
        n_maps = sums.n_maps
        self._sums = RowSums(sums.rows, sums.box_size_px, (n_maps, n_maps, len(sums.power)))
        self._pairs = torch.triu_indices(n_maps, n_maps, device=sums.rows.device)

    def add(self, block: Block, precision: Tensor, mean: Tensor, moments: Tensor) -> None:
        """Add the images of a block.

        Args:
            block: images of b particles.
            precision: (n,) w of each coefficient.
            mean: (b, C) of u.
            moments: (b, C, C) of u u^T.
        """
        factors = torch.cat([mean, mean, moments[:, self._pairs[0], self._pairs[1]]], dim=1)
        add_block(self._sums, block, precision, factors)

    def finish(self) -> None:
        """Add what waits."""
        self._sums.finish()


def add_block(sums: RowSums, block: Block, precision: Tensor, factors: Tensor) -> None:
    """Add real and imaginary part of the signal, and the power, of the images of a block.

    Args:
        sums: of these three values.
        block: images of b particles.
        precision: (n,) w of each coefficient.
        factors: (b, C) of each particle for each of C channels.
    """
    fold = block.where.fold.view_as(block.power)
    values = precision.new_empty((*block.power.shape, 3))
    torch.mul(block.signal.real, precision, out=values[..., 0])
    torch.mul(block.signal.imag, precision * fold, out=values[..., 1])
    torch.mul(block.power, precision, out=values[..., 2])
    owner = block.owner[:, None].expand_as(block.power).flatten()
    sums.add(block.where, values.flatten(0, 1), owner, factors)


def empty_basis_sums(n_maps: int, box_size_px: int, device: torch.device) -> BasisSums:
    """Sums of nothing."""
    n_points = grid_shells(box_size_px).numel()
    n_channels = 2 * n_maps + n_maps * (n_maps + 1) // 2
    return BasisSums(box_size_px, n_maps, torch.zeros(n_points, n_channels, device=device))


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
    shells = grid_shells(box).to(sums.rows.device)
    inside = (shells <= box // 2).nonzero()[:, 0]
    seen = _seen_at(inside, sums)
    power = seen[:, 2 * n_maps :]
    floor = (_LEAST_PRECISION * power.max()).clamp_min(torch.finfo(power.dtype).tiny)
    spectra = seen.new_zeros((n_maps, len(shells)), dtype=torch.complex64)
    for some, points in zip(
        seen.split(_POINTS_AT_ONCE), inside.split(_POINTS_AT_ONCE), strict=True
    ):
        least = prior[:, shells[points]].to(some).clamp_min(floor)
        spectra[:, points] = _solved(some, n_maps, least)
    maps = spectra_to_volumes(spectra.view(-1, *grid_shape(box)), box)
    if mask is not None:
        outside = 1 - mask  # the level of a map is not measured: it is 0 where no particle is
        level = (maps * outside).sum(dim=(1, 2, 3), keepdim=True) / outside.sum()
        maps = (maps - level) * mask
    return maps - maps.mean(dim=(1, 2, 3), keepdim=True)


def _solved(seen: Tensor, n_maps: int, prior: Tensor) -> Tensor:
    """(C, n) complex values of the maps at points with rows (n, channels) and a prior (C, n)."""
    channels = seen.T.contiguous()
    left, right = torch.triu_indices(n_maps, n_maps, device=seen.device)
    matrix = seen.new_empty(n_maps, n_maps, len(seen))
    matrix[left, right] = channels[2 * n_maps :]
    matrix[right, left] = channels[2 * n_maps :]
    matrix.diagonal().add_(prior.T)
    right_side = channels[: 2 * n_maps].unflatten(0, (2, n_maps)).transpose(0, 1)
    solution = solve_points(matrix, right_side, "frequencies")
    return torch.complex(solution[:, 0], solution[:, 1])


def _seen_at(points: Tensor, sums: BasisSums) -> Tensor:
    """(n, channels) rows of points (n,) of the grid, the plane x = 0 with what was added at -k."""
    seen = sums.rows.index_select(0, points)
    depth, height, width = grid_shape(sums.box_size_px)
    on_plane = (points % width == 0).nonzero()[:, 0]
    opposite = (depth * height - 1) * width - points[on_plane]
    conjugate = seen.new_ones(seen.shape[1])
    conjugate[sums.n_maps : 2 * sums.n_maps] = -1
    seen.index_add_(0, on_plane, sums.rows.index_select(0, opposite) * conjugate)
    return seen


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
