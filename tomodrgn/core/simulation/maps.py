"""Given maps as structures: slices by interpolation in a transform twice as fine.

Trilinear interpolation multiplies the map by a squared sinc in real space; the maps are divided by
it beforehand. What is left of the error comes from the edges of the box and is below 2 % for a
molecule within the middle 0.7 of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import grid_sample, pad

from tomodrgn.core.conventions import NYQUIST
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.fourier.volumes import centred_fft3, half_ball, half_ball_to_volumes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.fourier.disc import HalfPlaneDisc


class MapStructure:
    """Maps, one per class, imaged at any box and pixel size.

    Frequencies beyond the Nyquist limit of the maps are zero.
    """

    def __init__(
        self,
        maps: NDArray[np.float32],
        *,
        map_pixel_size_a: float,
        box_size_px: int,
        pixel_size_a: float,
    ) -> None:
        self.box_size_px = box_size_px
        self.pixel_size_a = pixel_size_a
        self._relative_pixel_size = map_pixel_size_a / pixel_size_a
        self._maps = torch.from_numpy(maps)
        self._spectra = [_fine_spectrum(volume) for volume in self._maps]

    def slices(
        self,
        labels: Tensor,
        motion: Tensor,
        rotation: Tensor,
        disc: HalfPlaneDisc,
    ) -> Tensor:
        """(M, P) complex128 central slices; maps do not move."""
        freqs = torch.from_numpy(disc.k / disc.box_size_px)  # cycles per image pixel
        reference = freqs @ rotation[:, :2]  # (M, P, 3), k @ R
        sampled = torch.zeros(reference.shape[:2], dtype=torch.complex128)
        for label, spectrum in enumerate(self._spectra):
            of_class = labels == label
            if not of_class.any():
                continue
            sampled[of_class] = self._sample(spectrum, reference[of_class])
        return sampled

    def volumes(self) -> Tensor:
        """(classes, D, D, D) maps on the grid of the simulation, without interpolation."""
        half = self.box_size_px // 2
        index = torch.arange(-half, half, dtype=torch.float64)
        freqs = index / self.box_size_px * self._relative_pixel_size  # cycles per map voxel
        place = torch.arange(self._maps.shape[-1]) - self._maps.shape[-1] // 2
        known = (freqs.abs() <= NYQUIST).double()[:, None]
        waves = known * torch.exp(-2j * torch.pi * freqs.outer(place.double()))
        maps = self._maps.to(torch.complex128)
        lattice = torch.einsum("czyx,kz,ly,mx->cklm", maps, waves, waves, waves)
        ball = half_ball(self.box_size_px)
        kx, ky, kz = torch.from_numpy(ball.k).T + half
        mean = lattice[:, half, half, half].real / self.box_size_px**3
        return half_ball_to_volumes(lattice[:, kz, ky, kx], ball) + mean[:, None, None, None]

    def states(self, labels: Tensor, motion: Tensor) -> Tensor:
        """(B, D, D, D) maps of particles; maps do not move."""
        return self.volumes()[labels]

    def _sample(self, spectrum: Tensor, freqs: Tensor) -> Tensor:
        """(M, P) values of a spectrum at (M, P, 3) cycles per image pixel."""
        grid = 2 * self._relative_pixel_size * freqs.to(torch.float32)  # Nyquist is 1
        values = grid_sample(spectrum, grid[None, None], align_corners=True)[0, :, 0]
        return torch.view_as_complex(values.movedim(0, -1).double().contiguous())


def read_maps(paths: Sequence[Path]) -> tuple[NDArray[np.float32], float]:
    """(classes, D, D, D) maps and the pixel size that they share.

    Raises:
        DataError: a map is no even cube, differs from the first, or states no pixel size.
    """
    maps, pixel_sizes = zip(*(read_volume(path) for path in paths), strict=True)
    for path, volume, pixel_size_a in zip(paths, maps, pixel_sizes, strict=True):
        if len(set(volume.shape)) > 1 or len(volume) % 2:
            raise DataError(f"{path}: map of {volume.shape} voxels is no even cube; pad or crop it")
        if not pixel_size_a > 0:
            raise DataError(f"{path}: the header states no pixel size; write it there first")
        if volume.shape != maps[0].shape or not np.isclose(pixel_size_a, pixel_sizes[0], rtol=1e-3):
            raise DataError(
                f"{path}: {len(volume)} voxels of {pixel_size_a:g} A differ from those of "
                f"{paths[0]}, {len(maps[0])} of {pixel_sizes[0]:g} A; resample one of them"
            )
        if not np.isfinite(volume).all():
            raise DataError(f"{path}: the map holds values that are not finite; replace them")
    return np.stack(maps), float(pixel_sizes[0])


def _fine_spectrum(volume: Tensor) -> Tensor:
    """(1, 2, F, F, F) transform of a padded map, F = 2 D + 1 points from -1/2 to 1/2 cycles/px."""
    box = len(volume)
    axis = (torch.arange(box, dtype=torch.float64) - box // 2) / (2 * box)
    taper = torch.sinc(axis) ** 2
    flattened = volume / (taper[:, None, None] * taper[:, None] * taper)
    spectrum = centred_fft3(pad(flattened, [box // 2] * 6))
    spectrum = torch.cat([spectrum, spectrum[:1]], dim=0)
    spectrum = torch.cat([spectrum, spectrum[:, :1]], dim=1)
    spectrum = torch.cat([spectrum, spectrum[:, :, :1]], dim=2)
    return torch.view_as_real(spectrum).movedim(-1, 0)[None].to(torch.float32)
