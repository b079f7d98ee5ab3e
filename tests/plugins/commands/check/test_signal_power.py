"""Images hold something where pixels vary more in the middle than at the edge."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from tomodrgn.core.fourier.disc import disc_to_images, half_plane_disc, images_to_disc
from tomodrgn.core.physics.windows import circular_window
from tomodrgn.plugins.commands.check.signal_power import central_excess

BOX_SIZE_PX = 32
N_IMAGES = 400
DISC = half_plane_disc(BOX_SIZE_PX)


def noise() -> torch.Tensor:
    """(M, D, D) white up to frequency 12 of 16, so that what is louder within stays in the disc."""
    generator = torch.Generator().manual_seed(1)
    white = torch.randn(N_IMAGES, len(DISC), 2, generator=generator)
    return disc_to_images(white * torch.from_numpy(DISC.radius_px < 12)[:, None], DISC)


def louder_in_the_middle(images: torch.Tensor) -> torch.Tensor:
    """(M, D, D) twice as loud out to half the box, as before from seven tenths of it on."""
    return images * (1 + circular_window(BOX_SIZE_PX, inner=0.5, outer=0.7))


def excess(images: torch.Tensor, particle: torch.Tensor) -> torch.Tensor:
    sample = SimpleNamespace(
        coefficients=torch.view_as_complex(images_to_disc(images, DISC)),
        disc=DISC,
        window=circular_window(BOX_SIZE_PX, inner=1.0, outer=1.1),
        particle=particle,
        n_particles=int(particle.max()) + 1,
    )
    return central_excess(sample)  # type: ignore[arg-type]


def test_noise_alone_has_no_excess() -> None:
    found = excess(noise(), torch.zeros(N_IMAGES, dtype=torch.int64))
    # 400 images of some 150 independent pixels in the middle: 0.6 %; the level of an edge of some
    # 200 pixels is that of the same pixels: 1 %
    assert abs(float(found)) < 0.03


def test_the_excess_is_the_ratio_of_variances_less_one_for_each_particle() -> None:
    particle = torch.arange(N_IMAGES) % 2
    images = torch.where((particle == 1)[:, None, None], louder_in_the_middle(noise()), noise())
    found = excess(images, particle)
    # twice the amplitude is four times the variance
    assert abs(float(found[0])) < 0.04
    assert abs(float(found[1]) - 3) < 0.15


def test_the_gray_level_of_an_image_is_no_signal() -> None:
    particle = torch.zeros(N_IMAGES, dtype=torch.int64)
    images, level = noise(), torch.linspace(-50, 50, N_IMAGES)[:, None, None]
    torch.testing.assert_close(
        excess(images + level, particle), excess(images, particle), atol=2e-3, rtol=0
    )
