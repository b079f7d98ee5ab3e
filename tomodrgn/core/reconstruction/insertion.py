"""Central slices into volumes: sums of weighted coefficients on an oversampled Fourier grid.

A coefficient is shared by the eight grid points around it, in proportion to their nearness along
each axis (trilinear), and its conjugate at -k likewise. The grid is twice as fine as that of the
volume and keeps the half with x >= 0, whose plane x = 0 is completed when the sums are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc
    from tomodrgn.core.reconstruction.weights import SliceWeights

OVERSAMPLING: Final = 2
"""Grid points per Fourier pixel along each axis."""

_POINTS_AT_ONCE_CPU: Final = 2**18
_POINTS_AT_ONCE_GPU: Final = 2**23


@dataclass(frozen=True, slots=True, eq=False)
class FourierSums:
    """What has been inserted into V volumes of one box.

    Grids are [z, y, x], in steps of half a Fourier pixel; y and z run from -D to D, x from 0 to D.

    Attributes:
        box_size_px: edge D of the volumes.
        real: (V, 2D+1, 2D+1, D+1) real part of the weighted sum of coefficients.
        imag: its imaginary part.
        power: sum of weights.
    """

    box_size_px: int
    real: Tensor
    imag: Tensor
    power: Tensor

    @property
    def n_volumes(self) -> int:
        """V."""
        return len(self.power)

    @property
    def grids(self) -> tuple[Tensor, Tensor, Tensor]:
        """Real part, imaginary part and power."""
        return self.real, self.imag, self.power

    def pooled(self, volumes: list[int]) -> FourierSums:
        """One volume of all that was inserted into several."""
        first, *others = (self.one(volume) for volume in volumes)
        pooled = FourierSums(first.box_size_px, *(grid.clone() for grid in first.grids))
        for other in others:
            for total, grid in zip(pooled.grids, other.grids, strict=True):
                total.add_(grid)
        return pooled

    def one(self, volume: int) -> FourierSums:
        """The sums of one volume, shared with these."""
        part = slice(volume, volume + 1)
        return FourierSums(self.box_size_px, *(grid[part] for grid in self.grids))


def empty_sums(n_volumes: int, box_size_px: int, *, like: Tensor) -> FourierSums:
    """Sums of nothing, on the device and in the (real) number type of ``like``."""
    shape = grid_shape(box_size_px)
    grids = (like.new_zeros((n_volumes, *shape)) for _ in range(3))
    return FourierSums(box_size_px, *grids)


def grid_shape(box_size_px: int) -> tuple[int, int, int]:
    """Points of the half grid of one volume, [z, y, x]."""
    reach = OVERSAMPLING * box_size_px // 2
    return 2 * reach + 1, 2 * reach + 1, reach + 1


def insert(
    sums: FourierSums,
    coefficients: Tensor,
    weights: SliceWeights,
    *,
    rotation: Tensor,
    disc: HalfPlaneDisc,
    volume_index: Tensor,
) -> None:
    """Add M images to sums, in place.

    Args:
        sums: where to add.
        coefficients: (M, P) complex, centred.
        weights: of the coefficients.
        rotation: (M, 3, 3) reference to image coordinates.
        disc: the P coefficients of each image.
        volume_index: (M,) int64, the volume that each image belongs to.
    """
    device = sums.power.device
    at_once = _POINTS_AT_ONCE_GPU if device.type == "cuda" else _POINTS_AT_ONCE_CPU
    k = torch.from_numpy(disc.k).to(device, sums.power.dtype).T.contiguous()  # (2, P)
    n_images = max(1, at_once // len(disc))
    for first in range(0, len(coefficients), n_images):
        rows = slice(first, first + n_images)
        points = OVERSAMPLING * (rotation[rows, :2].transpose(1, 2) @ k)  # (m, 3, P)
        values = coefficients[rows] * weights.signal[rows]
        _insert_points(
            sums,
            points.unbind(1),
            (values.real, values.imag, weights.power[rows]),
            volume_index[rows, None],
        )


def _insert_points(
    sums: FourierSums,
    points: tuple[Tensor, ...],
    values: tuple[Tensor, Tensor, Tensor],
    volume_index: Tensor,
) -> None:
    """Add values at points (x, y, z) in grid steps to the eight grid points around each."""
    x, y, z = points
    real, imag, power = values
    fold = torch.where(x < 0, -1.0, 1.0).to(x.dtype)
    x, y, z, imag = x * fold, y * fold, z * fold, imag * fold
    depth, height, width = grid_shape(sums.box_size_px)
    floors = [part.floor() for part in (x, y, z)]
    near_x, near_y, near_z = (part - low for part, low in zip((x, y, z), floors, strict=True))
    i, j, k = (low.long() for low in floors)
    reach = width - 1
    corner = ((volume_index * depth + k + reach) * height + j + reach) * width + i
    grids = [grid.view(-1) for grid in sums.grids]
    for step_z, share_z in ((0, 1 - near_z), (1, near_z)):
        for step_y, share_y in ((0, 1 - near_y), (1, near_y)):
            plane = share_z * share_y
            row = corner + (step_z * height + step_y) * width
            for step_x, share_x in ((0, 1 - near_x), (1, near_x)):
                share = plane * share_x
                index = (row + step_x).reshape(-1)
                for grid, value in zip(grids, (real, imag, power), strict=True):
                    grid.scatter_add_(0, index, (value * share).reshape(-1))
