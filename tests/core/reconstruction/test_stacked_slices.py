"""Slices of several volumes."""

from __future__ import annotations

import numpy as np
import torch

from tomodrgn.core.fourier.disc import half_plane_disc, images_to_disc
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.core.reconstruction.stacked_slices import stack_volumes

BOX = 20


def _blob(x: float, y: float, z: float) -> torch.Tensor:
    axis = torch.arange(BOX) - BOX // 2
    squared = (axis[:, None, None] - z) ** 2 + (axis[:, None] - y) ** 2 + (axis - x) ** 2
    return torch.exp(-squared / 8.0)


def _spot(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The projection of a blob."""
    axis = torch.arange(BOX) - BOX // 2
    return (8 * torch.pi) ** 0.5 * torch.exp(-((axis[:, None] - y) ** 2 + (axis - x) ** 2) / 8.0)


def test_slice_is_the_transform_of_the_projection() -> None:
    centres = [(3.0, -2.0, 1.0), (0.0, 1.0, -3.0)]
    disc = half_plane_disc(BOX, 0.4)
    euler = np.random.default_rng(0).uniform(0, 180, (5, 3))
    rotation = torch.from_numpy(matrices_from_euler(euler)).float()
    found = stack_volumes([_blob(*centre) for centre in centres]).slices(rotation, disc)
    for place, centre in enumerate(centres):
        seen = torch.stack([_spot(*(turn @ torch.tensor(centre))[:2]) for turn in rotation])
        expected = torch.view_as_complex(images_to_disc(seen, disc))
        error = (found[..., place] - expected).abs().max() / expected.abs().max()
        assert error < 0.03  # trilinear interpolation on a grid twice as fine
