"""Fourier cropping keeps low frequencies, the density and the center."""

from __future__ import annotations

import pytest
import torch

from tomodrgn.core.errors import DataError
from tomodrgn.core.fourier.cropping import crop_images, crop_volumes
from tomodrgn.core.fourier.disc import half_plane_disc, images_to_disc
from tomodrgn.core.fourier.volumes import centred_fft3


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(3, 24, 24, dtype=torch.float64, generator=torch.manual_seed(0))


@pytest.fixture
def volumes() -> torch.Tensor:
    return torch.randn(2, 12, 12, 12, dtype=torch.float64, generator=torch.manual_seed(0))


def test_low_frequencies_of_images_keep_their_coefficients(images: torch.Tensor) -> None:
    small, large = half_plane_disc(16), half_plane_disc(24)
    among = {tuple(k): row for row, k in enumerate(large.k.tolist())}
    rows = [among[tuple(k)] for k in small.k.tolist()]
    cropped = images_to_disc(crop_images(images, 16), small) * (24 / 16) ** 2
    torch.testing.assert_close(cropped, images_to_disc(images, large)[:, rows])


def test_low_frequencies_of_volumes_keep_their_coefficients(volumes: torch.Tensor) -> None:
    cropped = centred_fft3(crop_volumes(volumes, 8)) * (12 / 8) ** 3
    inner = slice(3, 10)  # |k| < 4 about index 6; about index 4 in the new box
    original = centred_fft3(volumes)[:, inner, inner, inner]
    torch.testing.assert_close(cropped[:, 1:, 1:, 1:], original)


def test_smooth_density_keeps_its_height_and_its_centre() -> None:
    def blob(box: int) -> torch.Tensor:
        place = (torch.arange(box, dtype=torch.float64) - box // 2) / box - 0.1
        return torch.exp(-(place[:, None] ** 2 + (place + 0.15) ** 2) / (2 * 0.06**2))

    torch.testing.assert_close(crop_images(blob(64), 32), blob(32), atol=1e-6, rtol=0)


def test_constant_density_stays(images: torch.Tensor, volumes: torch.Tensor) -> None:
    torch.testing.assert_close(
        crop_images(torch.ones_like(images), 10), torch.ones(3, 10, 10).double()
    )
    torch.testing.assert_close(
        crop_volumes(torch.ones_like(volumes), 6), torch.ones(2, 6, 6, 6).double()
    )


def test_cropping_twice_is_cropping_once(images: torch.Tensor, volumes: torch.Tensor) -> None:
    torch.testing.assert_close(crop_images(crop_images(images, 16), 10), crop_images(images, 10))
    torch.testing.assert_close(crop_volumes(crop_volumes(volumes, 8), 6), crop_volumes(volumes, 6))


def test_same_box_changes_nothing(images: torch.Tensor) -> None:
    assert crop_images(images, 24) is images


def test_cropping_commutes_with_projecting(volumes: torch.Tensor) -> None:
    """A projection is a sum over z: half the pixels along z halve it."""
    projected = crop_images(volumes.sum(1), 6)
    torch.testing.assert_close(crop_volumes(volumes, 6).sum(1) * 2, projected)


def test_larger_box_is_refused(images: torch.Tensor) -> None:
    with pytest.raises(DataError, match="32 px is more than the box of the images, 24 px"):
        crop_images(images, 32)


def test_odd_box_is_refused(images: torch.Tensor) -> None:
    with pytest.raises(DataError, match="both must be even"):
        crop_images(images, 7)
