from __future__ import annotations

import numpy as np
import pytest
import torch

from tomodrgn.core.errors import DataError
from tomodrgn.core.fourier.disc import (
    disc_to_images,
    half_plane_disc,
    images_to_disc,
    shift_phases,
)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(0)).double()


def test_disc_holds_one_of_each_pair_and_ascends() -> None:
    disc = half_plane_disc(32)
    assert len(disc) == 396
    assert np.all(np.diff(disc.radius_px) >= 0)
    both = np.concatenate([disc.k, -disc.k])
    assert len(np.unique(both, axis=0)) == 2 * len(disc)
    inside = (np.hypot(*np.mgrid[-15:16, -15:16]) < 16).sum() - 1  # all but DC
    assert 2 * len(disc) == inside


def test_coefficients_are_those_of_the_centred_transform(images: torch.Tensor) -> None:
    disc = half_plane_disc(16)
    centred = np.fft.fftshift(images.numpy(), axes=(1, 2))
    full = np.fft.fftshift(np.fft.fft2(centred), axes=(1, 2))
    expected = full[:, disc.k[:, 1] + 8, disc.k[:, 0] + 8]
    found = torch.view_as_complex(images_to_disc(images, disc)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_images_of_coefficients_have_these_coefficients(images: torch.Tensor) -> None:
    disc = half_plane_disc(16)
    coefficients = images_to_disc(images, disc)
    again = images_to_disc(disc_to_images(coefficients, disc), disc)
    torch.testing.assert_close(again, coefficients)


def test_no_images_have_no_coefficients_and_back(images: torch.Tensor) -> None:
    disc = half_plane_disc(16)
    coefficients = images_to_disc(images[:0], disc)
    assert coefficients.shape == (0, len(disc), 2)
    assert disc_to_images(coefficients, disc).shape == (0, 16, 16)


def test_phases_move_the_content_by_the_shift(images: torch.Tensor) -> None:
    disc = half_plane_disc(16)
    freqs = torch.from_numpy(disc.freqs()).double()
    phases = shift_phases(freqs, torch.tensor([[3.0, -2.0]]).double())
    moved = images.roll((-2, 3), dims=(1, 2))  # +3 in x, -2 in y
    expected = torch.view_as_complex(images_to_disc(images, disc)) * phases
    found = torch.view_as_complex(images_to_disc(moved, disc))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)  # float32 frequencies


def test_a_mask_is_a_prefix() -> None:
    disc = half_plane_disc(32)
    assert disc.prefix(0.5) == 0
    assert disc.prefix(1.0) == 2  # (1, 0) and (0, 1)
    assert disc.prefix(16) == len(disc)


def test_smaller_extent_keeps_smaller_radii() -> None:
    disc = half_plane_disc(32, 0.25)
    assert disc.radius_px.max() < 8
    assert len(disc) == half_plane_disc(32).prefix(8 - 1e-9)


@pytest.mark.parametrize("box", [31, 2])
def test_boxes_without_a_centre_are_refused(box: int) -> None:
    with pytest.raises(DataError, match=f"box size {box} px is not even"):
        half_plane_disc(box)
