"""Central slices into volumes: sums of weighted coefficients on an oversampled Fourier grid.

The conjugate of a coefficient belongs at -k; the plane x = 0 of the half grids is completed when
the sums are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tomodrgn.core.device_transfer import send
from tomodrgn.core.fourier.grids import OVERSAMPLING, add_to_grid, corners, grid_shape

if TYPE_CHECKING:
    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc
    from tomodrgn.core.reconstruction.weights import SliceWeights

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
        """(V, z, y, x) real part, imaginary part and power."""
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
    """Sums (V, z, y, x) of nothing, on the device and in the (real) number type of ``like``."""
    shape = grid_shape(box_size_px)
    grids = (like.new_zeros((n_volumes, *shape)) for _ in range(3))
    return FourierSums(box_size_px, *grids)


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
    k = send(disc.k, device).to(sums.power.dtype).T.contiguous()  # (2, P)
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
    where = corners([part.reshape(-1) for part in points], sums.box_size_px)
    points_of_grid = sums.power[0].numel()
    volume = volume_index.expand_as(points[0]).reshape(-1, 1)
    flat = where._replace(places=where.places + volume * points_of_grid)
    real, imag, power = values
    for grid, value in zip(sums.grids, (real, imag * where.fold.view_as(imag), power), strict=True):
        add_to_grid(grid.view(-1), flat, value.reshape(-1))
