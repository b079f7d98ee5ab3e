from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tomodrgn.core.fourier.disc import disc_to_images, half_plane_disc, images_to_disc
from tomodrgn.core.inspection.modulation import noise_modulation
from tomodrgn.core.inspection.sample import Sample
from tomodrgn.core.inspection.state import what_noise_says
from tomodrgn.core.inspection.transfer_changes import scaled_pixels
from tomodrgn.core.physics.ctf import contrast_transfer

BOX_PX, LARGE_PX, PIXEL_SIZE_A = 48, 96, 6.0


def noise_sample(sample: Sample, *, multiplied: bool, box_size_px: int) -> Sample:
    """Noise in place of images, multiplied in a box and cropped to 48 px."""
    disc, large = half_plane_disc(BOX_PX), half_plane_disc(box_size_px)
    optics = (replace(sample.optics[0], pixel_size_a=PIXEL_SIZE_A, box_size_px=BOX_PX),)
    assert sample.images.ctf is not None
    noise = torch.randn(
        len(sample.images), len(large), 2, generator=torch.Generator().manual_seed(4)
    )
    freqs_per_a = torch.from_numpy(large.freqs()) / PIXEL_SIZE_A
    # a spectrum that falls, as that of any detector
    noise *= torch.exp(-10 * freqs_per_a.norm(dim=-1))[:, None]
    if multiplied:
        noise *= contrast_transfer(sample.images.ctf, freqs_per_a)[..., None]
    start = (box_size_px - BOX_PX) // 2
    pixels = disc_to_images(noise, large)[:, start : start + BOX_PX, start : start + BOX_PX]
    coefficients = torch.view_as_complex(images_to_disc(pixels.contiguous(), disc))
    return replace(
        sample,
        coefficients=coefficients,
        disc=disc,
        optics=optics,
        window=torch.ones(BOX_PX, BOX_PX),
    )


@pytest.mark.parametrize("box_size_px", [BOX_PX, LARGE_PX])
def test_multiplied_noise_is_modulated_also_where_images_were_cropped(
    box_size_px: int, sample: Sample
) -> None:
    made = noise_sample(sample, multiplied=True, box_size_px=box_size_px)
    found = noise_modulation(made)
    assert found is not None
    assert found.is_deep
    assert what_noise_says(made)[0] == "multiplied"


def test_other_noise_is_not_modulated(sample: Sample) -> None:
    made = noise_sample(sample, multiplied=False, box_size_px=LARGE_PX)
    found = noise_modulation(made)
    assert found is not None
    assert found.depth == 0
    assert what_noise_says(made)[0] == "not multiplied"


def test_a_wrong_pixel_size_does_not_make_images_raw(sample: Sample) -> None:
    made = noise_sample(sample, multiplied=True, box_size_px=BOX_PX)
    wrong = scaled_pixels(1.25)(made)
    assert wrong is not None
    assert what_noise_says(wrong)[0] == "nothing"


def test_without_zeros_noise_says_nothing(sample: Sample) -> None:
    made = noise_sample(sample, multiplied=False, box_size_px=BOX_PX)
    coarse = scaled_pixels(20.0)(made)
    assert coarse is not None
    assert what_noise_says(coarse)[0] == "nothing"


def test_without_a_transfer_there_is_nothing_to_ask(sample: Sample) -> None:
    assert noise_modulation(sample.with_images(ctf=None)) is None


def test_constant_images_count_for_neither(sample: Sample) -> None:
    made = noise_sample(sample, multiplied=True, box_size_px=BOX_PX)
    empty = made.coefficients.clone()
    empty[: len(empty) // 4] = 0
    assert what_noise_says(replace(made, coefficients=empty))[0] == "multiplied"
