from __future__ import annotations

from dataclasses import replace

import torch

from tests.core.inspection.conftest import N_GROUPS
from tomodrgn.core.inspection.comparison import paired_z
from tomodrgn.core.inspection.likelihood import blind_likelihood, fit
from tomodrgn.core.inspection.sample import Sample
from tomodrgn.plugins.commands.check.contrast import density_skewness

MIRROR = torch.diag(torch.tensor([1.0, 1.0, -1.0]))


def test_half_of_the_particles_predict_the_others(sample: Sample) -> None:
    assert paired_z(fit(sample).likelihood - blind_likelihood(sample)) > 10


def test_the_sign_of_contrast_is_not_seen(sample: Sample) -> None:
    negative = replace(sample, coefficients=-sample.coefficients)
    assert torch.allclose(fit(sample).likelihood, fit(negative).likelihood, rtol=1e-4)


def test_a_mirrored_world_looks_the_same(sample: Sample) -> None:
    mirrored = sample.with_images(rotation=MIRROR @ sample.images.rotation @ MIRROR)
    # an even box has no mirror image of its first plane
    assert torch.allclose(fit(sample).likelihood, fit(mirrored).likelihood, rtol=1e-2)


def test_units_of_pixels_do_not_matter(sample: Sample) -> None:
    louder = replace(sample, coefficients=10 * sample.coefficients)
    gain = fit(sample).likelihood - blind_likelihood(sample)
    louder_gain = fit(louder).likelihood - blind_likelihood(louder)
    assert torch.allclose(gain, louder_gain, rtol=1e-2, atol=0.5)  # float32 over 1e5 terms


def test_wrong_poses_are_less_likely(sample: Sample) -> None:
    wrong = sample.with_images(rotation=sample.images.rotation.mT)
    assert paired_z(fit(sample).likelihood - fit(wrong).likelihood) > 5


def test_density_is_bright_or_dark(sample: Sample) -> None:
    agreement = fit(sample).agreement
    bright, z = density_skewness(sample, agreement, N_GROUPS)
    negative = replace(sample, coefficients=-sample.coefficients)
    dark, dark_z = density_skewness(negative, agreement, N_GROUPS)
    assert bright > 0
    assert z > 5
    assert abs(bright + dark) < 1e-3 * bright
    assert abs(z + dark_z) < 1e-2 * z
