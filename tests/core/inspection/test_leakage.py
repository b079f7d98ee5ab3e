from __future__ import annotations

import torch

from tomodrgn.core.fourier.disc import disc_to_images, half_plane_disc, images_to_disc
from tomodrgn.core.inspection.leakage import WindowLeakage
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
    # 2 % for 3,000 draws, and what leaks further than three neighbours
    assert (found - expected)[inner].abs().max() < 0.06
    assert (found - power)[inner].abs().max() > 0.1
