from __future__ import annotations

import numpy as np
import pytest
import torch

from tomodrgn.core.fourier.disc import disc_to_images, half_plane_disc, images_to_disc
from tomodrgn.core.inspection.spectral_leakage import WindowLeakage
from tomodrgn.core.physics.windows import circular_window

DISC = half_plane_disc(24)
WINDOW = circular_window(24, inner=0.85, outer=1.0)


def test_a_flat_spectrum_stays_flat() -> None:
    spread = WindowLeakage(WINDOW, DISC)(torch.ones(2, len(DISC)))
    assert torch.allclose(spread, torch.ones_like(spread), atol=1e-6)


def test_spread_power_is_that_of_windowed_noise() -> None:
    generator = torch.Generator().manual_seed(1)
    radius = torch.from_numpy(DISC.radius_px).float()
    power = (radius * 0.8).sin().square()
    noise = torch.randn(3000, len(DISC), 2, generator=generator) * power.sqrt()[:, None]
    windowed = disc_to_images(noise, DISC) * WINDOW
    found = images_to_disc(windowed, DISC).square().sum(-1).mean(0) / 2
    found /= WINDOW.square().mean()
    inner = radius < 8  # further out, coefficients beyond the disc matter
    expected = WindowLeakage(WINDOW, DISC)(power[None])[0]
    # 2 % for 3,000 draws, and what leaks further than three neighbors
    assert (found - expected)[inner].abs().max() < 0.06
    assert (found - power)[inner].abs().max() > 0.1


def test_power_of_noise_cropped_from_a_larger_box_is_the_local_mean() -> None:
    generator = torch.Generator().manual_seed(2)
    large = half_plane_disc(96)
    # rings 4 px wide in the larger box, where a box of 24 px has a frequency every 4 px
    filtered = (torch.from_numpy(large.radius_px).float() * (torch.pi / 4)).sin().square()
    noise = torch.randn(2000, len(large), 2, generator=generator) * filtered.sqrt()[:, None]
    cropped = disc_to_images(noise, large)[:, 36:60, 36:60] * WINDOW
    found = images_to_disc(cropped.contiguous(), DISC).square().sum(-1).mean(0)
    leakage = WindowLeakage(WINDOW, DISC, larger=2)
    radius = torch.from_numpy(leakage.disc.radius_px).float()
    expected = leakage((radius * torch.pi / 2).sin().square()[None])[0]
    own = WindowLeakage(WINDOW, DISC)
    unaware = own((torch.from_numpy(DISC.radius_px).float() * torch.pi).sin().square()[None])[0]
    inner = DISC.radius_px < 10  # further out, coefficients beyond the disc matter
    scale = found[inner].mean()
    # 2 % for 2,000 draws, of which the largest of 150 is up to 4 times as far off
    assert (found[inner] / scale - expected[inner] / expected[inner].mean()).abs().max() < 0.15
    assert (found[inner] / scale - unaware[inner] / unaware[inner].mean()).abs().max() > 0.4


@pytest.mark.parametrize("larger", [1, 2])
def test_power_is_summed_over_every_frequency_of_the_plane_and_its_mate(larger: int) -> None:
    """Term by term: the power at k' counts at k as the window holds of the frequency k - k'."""
    edge, box = 8, 8 * larger
    disc = half_plane_disc(edge)
    window = circular_window(edge, inner=0.5, outer=1.0)
    leakage = WindowLeakage(window, disc, larger=larger)
    power = torch.rand(len(leakage.disc), generator=torch.Generator().manual_seed(3)).double()
    of_window = np.abs(np.fft.fft2(window.numpy(), s=(box, box))) ** 2
    sources = {tuple(k): p for k, p in zip(leakage.disc.k.tolist(), power.tolist(), strict=True)}
    sources |= {(-kx, -ky): p for (kx, ky), p in sources.items()}
    expected = []
    for kx, ky in (larger * disc.k).tolist():
        shares = [of_window[(ky - y) % box, (kx - x) % box] for x, y in sources]
        expected.append(np.dot(shares, list(sources.values())) / np.sum(shares))
    np.testing.assert_allclose(leakage(power[None].float())[0], expected, rtol=1e-4)
