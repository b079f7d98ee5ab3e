from __future__ import annotations

import numpy as np
import pytest
import torch

from tomodrgn.core.fourier.disc import half_plane_disc, images_to_disc
from tomodrgn.core.geometry.rotations import random_rotations
from tomodrgn.core.simulation.gaussians import Blobs, coefficients, slices, volumes

BOX, PIXEL_SIZE_A = 16, 6.0


@pytest.fixture
def blobs() -> Blobs:
    rng = np.random.default_rng(3)
    return Blobs(
        position_a=torch.from_numpy(rng.uniform(-20, 20, (4, 7, 3))),
        mass=torch.from_numpy(rng.uniform(1, 2, (4, 7))),
        sigma_a=torch.from_numpy(rng.uniform(4, 8, 7)),
    )


def test_a_slice_is_the_transform_at_rotated_frequencies(blobs: Blobs) -> None:
    rotation = torch.from_numpy(random_rotations(4, np.random.default_rng(0)))
    disc = half_plane_disc(BOX)
    freqs_per_a = torch.from_numpy(disc.k / (BOX * PIXEL_SIZE_A))
    found = slices(blobs, rotation, disc, PIXEL_SIZE_A)
    for i in range(4):
        expected = coefficients(blobs.take(torch.tensor([i])), freqs_per_a @ rotation[i, :2])
        torch.testing.assert_close(found[i], expected[0], rtol=1e-10, atol=1e-10)


def test_a_volume_projects_onto_the_unrotated_slice(blobs: Blobs) -> None:
    disc = half_plane_disc(BOX)
    unrotated = torch.eye(3, dtype=torch.float64).expand(4, 3, 3)
    projections = volumes(blobs, BOX, PIXEL_SIZE_A).sum(dim=1)
    found = torch.view_as_complex(images_to_disc(projections, disc))
    expected = slices(blobs, unrotated, disc, PIXEL_SIZE_A)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_a_volume_adds_up_to_its_mass(blobs: Blobs) -> None:
    totals = volumes(blobs, BOX, PIXEL_SIZE_A).sum(dim=(1, 2, 3))
    torch.testing.assert_close(totals, blobs.mass.sum(1), rtol=1e-9, atol=0)


def test_a_blob_lies_where_it_was_put() -> None:
    one = Blobs(
        position_a=torch.tensor([[[2.0, -3.0, 1.0]]], dtype=torch.float64) * PIXEL_SIZE_A,
        mass=torch.ones(1, 1, dtype=torch.float64),
        sigma_a=torch.tensor([7.0], dtype=torch.float64),
    )
    volume = volumes(one, BOX, PIXEL_SIZE_A)[0]
    z, y, x = np.unravel_index(int(volume.argmax()), volume.shape)
    assert (x - 8, y - 8, z - 8) == (2, -3, 1)
