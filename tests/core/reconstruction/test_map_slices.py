from __future__ import annotations

import numpy as np
import torch

from tomodrgn.core.fourier.disc import half_plane_disc, images_to_disc
from tomodrgn.core.reconstruction.map_slices import MapSlices

BOX = 16


def compact_map(seed: int = 0) -> torch.Tensor:
    """Noise in the middle half of the box."""
    volume = torch.zeros(BOX, BOX, BOX)
    noise = torch.randn(8, 8, 8, generator=torch.Generator().manual_seed(seed))
    volume[4:12, 4:12, 4:12] = noise
    return volume


def test_the_slice_across_z_is_close_to_the_transform_of_the_projection() -> None:
    volume, disc = compact_map(), half_plane_disc(BOX)
    freqs = torch.from_numpy(np.pad(disc.freqs(), ((0, 0), (0, 1))))
    expected = images_to_disc(volume.sum(0)[None], disc)[0]
    error = MapSlices(volume).at(freqs) - expected
    assert error.norm() < 0.02 * expected.norm()  # grid points are those of largest error


def test_anywhere_slices_are_close_to_the_exact_transform() -> None:
    volume = compact_map()
    freqs = 0.8 * (torch.rand(200, 3, generator=torch.Generator().manual_seed(1)) - 0.5)
    places = torch.stack(torch.meshgrid(*[torch.arange(BOX) - BOX // 2] * 3, indexing="ij"))
    waves = torch.exp(-2j * torch.pi * (freqs.flip(1) @ places.flatten(1).float()))
    expected = torch.view_as_real(waves @ volume.flatten().to(torch.complex64))
    error = MapSlices(volume).at(freqs) - expected
    assert error.norm() < 0.01 * expected.norm()
