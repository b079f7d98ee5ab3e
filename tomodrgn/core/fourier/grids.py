"""Oversampled half grids: Fourier space twice as fine as that of a volume, with x >= 0.

Grids are [z, y, x], in steps of half a Fourier pixel; y and z run from -D to D, x from 0 to D. A
point is shared with the eight grid points around it in proportion to their nearness along each axis
(trilinear), whether it is read or added to; points with x < 0 go by their conjugate.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

OVERSAMPLING: Final = 2
"""Grid points per Fourier pixel along each axis."""
N_CORNERS: Final = 8
"""Grid points that share a point."""


def grid_shape(box_size_px: int) -> tuple[int, int, int]:
    """Points of the half grid of one volume, [z, y, x]."""
    reach = OVERSAMPLING * box_size_px // 2
    return 2 * reach + 1, 2 * reach + 1, reach + 1


class Corners(NamedTuple):
    """The eight grid points around each of n points.

    Attributes:
        places: (n, 8) integers, into a flat half grid; the first is the one of lowest x, y and z.
        share: (n, 8) their nearness; those of a point add up to 1.
        fold: (n,) -1 where the point went by its conjugate, else 1.
    """

    places: Tensor
    share: Tensor
    fold: Tensor


def corners(points: Sequence[Tensor], box_size_px: int) -> Corners:
    """Where points lie on the half grid of a box.

    Args:
        points: x, y and z, each (n,), in grid steps.
        box_size_px: D; points reach at most D grid steps from the center.
    """
    x, y, z = points
    _, height, width = grid_shape(box_size_px)
    fold = torch.where(x < 0, -1.0, 1.0).to(x.dtype)
    folded = (x * fold, y * fold, z * fold)
    floors = [part.floor() for part in folded]
    near_x, near_y, near_z = (part.sub_(low) for part, low in zip(folded, floors, strict=True))
    whole = _index_type(box_size_px)
    i, j, k = (low.to(whole) for low in floors)
    reach = width - 1
    corner = k.add_(reach).mul_(height).add_(j.add_(reach)).mul_(width).add_(i)
    share = x.new_empty((len(x), N_CORNERS))
    shares_x = (1 - near_x, near_x)
    for step_z, share_z in enumerate((1 - near_z, near_z)):
        for step_y, share_y in enumerate((1 - near_y, near_y)):
            plane = share_z * share_y
            for step_x, share_x in enumerate(shares_x):
                torch.mul(plane, share_x, out=share[:, 4 * step_z + 2 * step_y + step_x])
    return Corners(corner[:, None] + corner_steps(box_size_px, x.device), share, fold)


def corner_steps(box_size_px: int, device: torch.device) -> Tensor:
    """(8,) places of the eight grid points around a point, from the first of them on."""
    _, height, width = grid_shape(box_size_px)
    number = torch.arange(N_CORNERS, device=device, dtype=_index_type(box_size_px))
    return ((number // 4) * height + (number // 2) % 2) * width + number % 2


def _index_type(box_size_px: int) -> torch.dtype:
    """Of places in a flat half grid, which take half of the memory where 32 bits will do."""
    depth, height, width = grid_shape(box_size_px)
    return torch.int32 if depth * height * width < 2**31 else torch.int64


def add_to_grid(grid: Tensor, where: Corners, values: Tensor) -> None:
    """Add values (n,) to a flat grid, in place; imaginary parts have to be folded by the caller."""
    grid.scatter_add_(0, where.places.long().flatten(), (values[:, None] * where.share).flatten())


def read_grid(grid: Tensor, where: Corners) -> Tensor:
    """(n,) values of a flat grid; imaginary parts have to be folded by the caller."""
    return (grid[where.places] * where.share).sum(1)


def complete_plane(grid: Tensor, parity: int) -> Tensor:
    """A copy of half grids (V, z, y, x) whose plane x = 0 has what was added at -k, too.

    ``parity`` is -1 for imaginary parts, else 1.
    """
    grid = grid.clone()
    plane = grid[..., 0]
    grid[..., 0] = plane + parity * plane.flip(-2, -1)
    return grid


def spectra_to_volumes(spectra: Tensor, box_size_px: int) -> Tensor:
    """Volumes whose centered oversampled half spectra are given.

    Args:
        spectra: (..., z, y, x) complex half grids.
        box_size_px: D.

    Returns:
        (..., D, D, D) central boxes, corrected for the trilinear sharing.
    """
    edge = OVERSAMPLING * box_size_px
    part = torch.fft.ifft(spectra[..., :edge, :edge, :], dim=-3)
    part = _around_zero(part, -3, box_size_px)  # what lies outside of the box is not needed
    part = _around_zero(torch.fft.ifft(part, dim=-2), -2, box_size_px)
    volumes = _around_zero(torch.fft.irfft(part, n=edge, dim=-1), -1, box_size_px)
    return volumes.mul_(_signs(volumes)).div_(_gridding(box_size_px).to(volumes))


def volumes_to_spectra(volumes: Tensor) -> Tensor:
    """Centered oversampled half spectra of volumes (..., D, D, D), to be read with `read_grid`.

    What trilinear reading takes away is allowed for beforehand.
    """
    box_size_px = volumes.shape[-1]
    edge = OVERSAMPLING * box_size_px
    volumes = volumes / _gridding(box_size_px).to(volumes) * _signs(volumes)
    part = torch.fft.rfft(_padded(volumes, -1, edge), dim=-1)
    part = torch.fft.fft(_padded(part, -2, edge), dim=-2)
    part = torch.cat([part, part[..., :1, :]], dim=-2)  # +D is where -D is
    part = torch.fft.fft(_padded(part, -3, edge), dim=-3)
    return torch.cat([part, part[..., :1, :, :]], dim=-3)


def _around_zero(values: Tensor, dim: int, size: int) -> Tensor:
    """``size`` values around index 0 of a periodic axis, those of negative indices first."""
    length, half = values.shape[dim], size // 2
    return torch.cat(
        [values.narrow(dim, length - half, half), values.narrow(dim, 0, size - half)], dim=dim
    )


def _padded(values: Tensor, dim: int, length: int) -> Tensor:
    """A longer axis with zeros in the middle; the inverse of :func:`_around_zero`."""
    size = values.shape[dim]
    shape = list(values.shape)
    shape[dim] = length - size
    half = size // 2
    negative, positive = values.split([half, size - half], dim=dim)
    return torch.cat([positive, values.new_zeros(shape), negative], dim=dim)


def _signs(volumes: Tensor) -> Tensor:
    """(D, D, 1) signs along z and y that move frequency 0 of a transform to its middle."""
    axis = torch.arange(volumes.shape[-1], device=volumes.device) - volumes.shape[-1] // 2
    return 1 - 2 * ((axis[:, None, None] + axis[:, None]) % 2).to(volumes)


@lru_cache(maxsize=2)
def grid_shells(box_size_px: int) -> Tensor:
    """(points,) int32 shell of each point of a half grid; D/2 + 1 beyond the box."""
    width = grid_shape(box_size_px)[-1]
    centred = torch.arange(1 - width, width, dtype=torch.float32).square()
    half = torch.arange(width, dtype=torch.float32).square()
    radius = (centred[:, None, None] + centred[:, None] + half).sqrt_() / OVERSAMPLING
    shells = radius.ceil().to(torch.int32)  # b - 1 < r <= b
    shells[radius >= box_size_px // 2] = box_size_px // 2 + 1
    return shells.reshape(-1)


def mean_over_shells(grids: Tensor, box_size_px: int) -> Tensor:
    """(C, D/2 + 1) float64 mean of flat grids (C, points) over the points of each shell."""
    shells = grid_shells(box_size_px).to(grids.device)
    n_shells = box_size_px // 2 + 1
    n_points = torch.bincount(shells, minlength=n_shells + 1).clamp_min(1)
    means = [
        torch.bincount(shells, grid.double(), minlength=n_shells + 1) / n_points for grid in grids
    ]
    return torch.stack(means)[:, :n_shells]


def _gridding(box_size_px: int) -> Tensor:
    """(D, D, D) what trilinear sharing leaves of a volume, sinc^2 along each axis.

    Source:
        The transform of a triangle of half width 1 / (2D) in cycles/px.
    """
    axis = (torch.arange(box_size_px, dtype=torch.float64) - box_size_px // 2) / box_size_px
    left = torch.sinc(axis / OVERSAMPLING).square()
    return left[:, None, None] * left[:, None] * left
