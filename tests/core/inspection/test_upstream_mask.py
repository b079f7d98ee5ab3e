from __future__ import annotations

from dataclasses import replace

import torch

from tomodrgn.core.fourier.disc import disc_to_images, images_to_disc
from tomodrgn.core.inspection.sample import Sample
from tomodrgn.core.inspection.upstream_mask import with_upstream_mask
from tomodrgn.core.physics.windows import circular_window


def test_a_circular_mask_is_found_by_its_noise(sample: Sample) -> None:
    mask = circular_window(sample.disc.box_size_px, inner=0.85, outer=1.0)
    pixels = disc_to_images(torch.view_as_real(sample.coefficients), sample.disc) * mask
    masked = replace(
        sample, coefficients=torch.view_as_complex(images_to_disc(pixels, sample.disc))
    )
    assert with_upstream_mask(masked).is_masked
    found = with_upstream_mask(masked).window
    half = sample.disc.box_size_px // 2
    # rings are a pixel wide, and the images hold no frequency beyond the disc
    assert found[0, 0] < 0.3
    assert float(found[half, half]) == 1.0
    assert float(found[half, half + half // 2]) == 1.0


def test_images_without_a_mask_keep_their_window(sample: Sample) -> None:
    assert with_upstream_mask(sample) is sample
