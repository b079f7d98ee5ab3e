"""One pass over images: which class each particle looks like, and sums for the next class maps.

A class is the mean map plus a difference map. The log likelihood of a class over that of the mean
map is ``sum w (2 Re(conj(D) (s - p F)) - p |D|^2)`` for slices F of the mean map and D of the
difference, s and p being the signal and power of the images and w the precision of their noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tomodrgn.core.fourier.grid_rows import RowSums
from tomodrgn.core.fourier.grids import grid_shape
from tomodrgn.core.linear.basis import MapSpectra, add_block
from tomodrgn.core.reconstruction.insertion import FourierSums

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.observations import Block, Observations


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPass:
    """What a pass over b particles found.

    Attributes:
        gains: (b, 2, C) log likelihood of each class over the mean map, by tilts of even and odd
            rank.
        shares: (b, C) of each particle in each class, by which sums were collected.
        sums: C volumes, or None.
        residual: (shells,) squared error of the prediction over all images.
        noise_transfer: (shells,) sum of h^2, which the error is to be divided by.
    """

    gains: Tensor
    shares: Tensor
    sums: FourierSums | None
    residual: Tensor
    noise_transfer: Tensor

    def collected(self) -> FourierSums:
        """The sums of a pass that was told to collect them."""
        if self.sums is None:
            raise ValueError("the pass collected no sums")
        return self.sums


def run_class_pass(
    images: Observations,
    rows: NDArray[np.int64],
    maps: Tensor,
    precision: Tensor,
    assign: Callable[[Tensor, Tensor], Tensor],
    *,
    collect: bool = True,
) -> ClassPass:
    """See the images of some particles once.

    Args:
        images: of all particles.
        rows: (b,) particles to look at.
        maps: (1 + C, D, D, D) mean map, and the difference of each class from it, in the box of
            the images.
        precision: (shells,) of the noise.
        assign: gives the shares (n, C) of particles in the classes, from their rows (n,) and gains
            (n, C); they add up to the same number for every particle.
        collect: whether to collect sums.
    """
    spectra = MapSpectra(maps)
    n_classes, weight, shells = len(maps) - 1, precision[images.shells], images.shells
    rows_of_grid = _empty_rows(n_classes if collect else 0, images.box_size_px, maps.device)
    sums = RowSums(rows_of_grid, images.box_size_px, [n_classes] * 3) if collect else None
    residual = torch.zeros(len(precision), device=maps.device, dtype=torch.float64)
    transfer = torch.zeros_like(residual)
    gains = maps.new_empty((len(rows), 2, n_classes))  # small results between blocks that go
    shares = maps.new_empty((len(rows), n_classes))  # would leave holes in memory
    done = 0
    for block in images.blocks(rows):
        slices = spectra.at(block)
        error = block.signal - block.power * slices[0]
        gain = _gains(block, slices[1:], error, weight)
        share = assign(block.particles, gain.sum(1))
        here = slice(done, done + len(block.particles))
        gains[here], shares[here], done = gain, share, here.stop
        counts = images.counts_of(block)
        left = counts[block.owner] @ _squared_error(block, slices, error, share)
        residual.index_add_(0, shells, left.double())
        transfer.index_add_(0, shells, (counts[block.owner] @ block.noise_power).double())
        if sums is not None:
            add_block(sums, block, weight, (share * counts[:, None]).repeat(1, 3))
    if sums is not None:
        sums.finish()
    return ClassPass(
        gains=gains,
        shares=shares,
        sums=_volumes_of(rows_of_grid, n_classes, images.box_size_px) if collect else None,
        residual=residual,
        noise_transfer=transfer,
    )


def _empty_rows(n_classes: int, box_size_px: int, device: torch.device) -> Tensor:
    """(points, 3 C) real parts, imaginary parts and powers of C volumes, of nothing."""
    n_points = math.prod(grid_shape(box_size_px))
    return torch.zeros(n_points, 3 * n_classes, device=device)


def _volumes_of(rows: Tensor, n_classes: int, box_size_px: int) -> FourierSums:
    """The same sums by volumes."""
    grids = rows.T.view(3, n_classes, *grid_shape(box_size_px))
    return FourierSums(box_size_px, *grids)


def _gains(block: Block, slices: Tensor, error: Tensor, weight: Tensor) -> Tensor:
    """(b, 2, C), from differences (C, m, n) and what the mean map leaves (m, n)."""
    cross = slices.real * error.real + slices.imag * error.imag
    power = slices.real.square() + slices.imag.square()
    per_image = (2 * cross - block.power * power) @ weight  # (C, m)
    n_particles = len(block.particles)
    gains = per_image.new_zeros((2 * n_particles, len(slices)))
    gains.index_add_(0, 2 * block.owner + block.rank % 2, per_image.T)
    by_tilts: Tensor = gains.unflatten(0, (n_particles, 2))
    return by_tilts


def _squared_error(block: Block, slices: Tensor, error: Tensor, share: Tensor) -> Tensor:
    """(m, n) expected squared error of the prediction."""
    mean_map = (block.observed - block.signal_transfer * slices[0]).abs().square()
    total = share.sum(1, keepdim=True).clamp_min(1e-30)
    per_image = (share / total)[block.owner].T[:, :, None]  # (C, m, 1)
    differences = slices[1:]
    cross = differences.real * error.real + differences.imag * error.imag
    power = differences.real.square() + differences.imag.square()
    explained = (per_image * (2 * cross - block.power * power)).sum(0) * block.noise_power
    return mean_map - explained
