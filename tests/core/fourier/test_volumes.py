from __future__ import annotations

import numpy as np
import pytest
import torch

from tomodrgn.core.fourier.shells import fsc, shell_indices
from tomodrgn.core.fourier.volumes import (
    centred_fft3,
    half_ball,
    half_ball_to_volumes,
    lowpass,
    mirror_z,
    volumes_to_half_ball,
)


def random_volumes(n: int, box: int) -> torch.Tensor:
    return torch.randn(n, box, box, box, generator=torch.Generator().manual_seed(0)).double()


def test_volumes_have_the_coefficients_given() -> None:
    ball = half_ball(12)
    spectra = centred_fft3(random_volumes(2, 12))
    x, y, z = ball.k.T + 6
    given = spectra[:, z, y, x]
    volumes = half_ball_to_volumes(given, ball)
    again = centred_fft3(volumes)
    torch.testing.assert_close(again[:, z, y, x], given)
    assert again[:, 6, 6, 6].abs().max() < 1e-9  # DC is never trained


def test_half_ball_holds_one_of_each_pair_below_the_plane() -> None:
    ball = half_ball(12)
    assert ball.k[:, 2].max() == 0
    both = np.concatenate([ball.k, -ball.k])
    assert len(np.unique(both, axis=0)) == 2 * len(ball)


@pytest.mark.parametrize("radius_px", [None, 3.5, 4.0])
def test_half_ball_holds_every_frequency_within_its_radius(radius_px: float | None) -> None:
    axis = range(-6, 7)
    limit = 6 if radius_px is None else radius_px
    within = {
        (x, y, z) for x in axis for y in axis for z in axis if 0 < x * x + y * y + z * z < limit**2
    }
    ball = half_ball(12, radius_px)
    found = {tuple(k) for k in np.concatenate([ball.k, -ball.k]).tolist()}
    assert found == within


@pytest.mark.parametrize("edge", [12, 16])
def test_coefficients_of_a_volume_are_those_of_its_centred_transform(edge: int) -> None:
    """Also where the box of the volumes is the larger."""
    ball, volumes = half_ball(12), random_volumes(2, edge)
    x, y, z = ball.k.T + edge // 2
    found = volumes_to_half_ball(volumes, ball)
    torch.testing.assert_close(found, centred_fft3(volumes)[:, z, y, x])


def test_lowpass_removes_what_lies_beyond_and_nothing_else() -> None:
    volume = random_volumes(1, 16)[0]
    filtered = lowpass(volume, pixel_size_a=2.0, resolution_a=8.0)  # a quarter cycle per pixel
    np.testing.assert_allclose(fsc(volume.numpy(), filtered.numpy())[:5], 1, atol=1e-9)
    again = lowpass(filtered, pixel_size_a=2.0, resolution_a=8.0)
    torch.testing.assert_close(again, filtered)
    axis = np.arange(16) - 8
    beyond = np.sqrt(sum(g**2 for g in np.meshgrid(axis, axis, axis))) > 4
    assert centred_fft3(filtered)[torch.from_numpy(beyond)].abs().max() < 1e-9


def test_shell_holds_its_own_radius() -> None:
    found = shell_indices(np.array([0.0, 0.5, 1.0, 1.0001, np.sqrt(9.0), 3.2]))
    assert found.tolist() == [0, 1, 1, 2, 3, 4]


def test_fsc_ignores_scale_and_sees_the_sign() -> None:
    volume = random_volumes(1, 12)[0].numpy()
    np.testing.assert_allclose(fsc(volume, 3 * volume), 1, atol=1e-12)
    np.testing.assert_allclose(fsc(volume, -volume), -1, atol=1e-12)


def test_fsc_of_noise_is_noise() -> None:
    first, second = random_volumes(2, 24).numpy()
    assert np.abs(fsc(first, second)[4:]).max() < 0.3  # shells of 200 and more voxels


@pytest.mark.parametrize("edge", [8, 9])
def test_mirror_keeps_the_centre_and_is_its_own_inverse(edge: int) -> None:
    volume = torch.arange(float(edge**3)).reshape(edge, edge, edge)
    mirrored = mirror_z(volume)
    assert torch.equal(mirrored[edge // 2], volume[edge // 2])
    assert torch.equal(mirrored[edge // 2 + 1], volume[edge // 2 - 1])
    assert torch.equal(mirror_z(mirrored), volume)
