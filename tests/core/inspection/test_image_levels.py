"""Images that were normalized by wrong metadata are tried at the levels of the right ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.core.inspection.conftest import N_GROUPS, no_progress
from tomodrgn.core.gray_levels.expected import noise_deviation
from tomodrgn.core.gray_levels.reader import NormalizingReader
from tomodrgn.core.inspection.alternatives import DOSE_ORDER, DOSE_STATE, alternatives
from tomodrgn.core.inspection.comparison import Ground
from tomodrgn.core.inspection.image_changes import reversed_images
from tomodrgn.core.inspection.image_levels import read_as, with_levels
from tomodrgn.core.inspection.likelihood import blind_likelihood
from tomodrgn.core.inspection.pose_changes import inverted_orientations
from tomodrgn.core.inspection.sample import Sample, load_sample
from tomodrgn.core.inspection.transfer_changes import declared_dose_weighting, reversed_doses
from tomodrgn.core.interfaces import Reader
from tomodrgn.core.particles.tables import ParticleSet


def expected(sample: Sample) -> torch.Tensor:
    pixel_size_a = sample.pixel_size_a / sample.shrinkage
    return noise_deviation(sample.images, sample.optics, pixel_size_a)


def with_own_weight(sample: Sample, weight: float) -> Sample:
    return with_levels(sample, np.full(len(sample.images), weight, dtype=np.float32))


@pytest.fixture(scope="module")
def normalized(sample: Sample) -> Sample:
    """The sample with doses in reverse order, as it is normalized by these."""
    wrong = reversed_doses(sample)
    assert wrong is not None
    factor = expected(wrong) / expected(sample)
    assert float(factor.log().std()) > 0.05
    return with_own_weight(replace(wrong, coefficients=wrong.coefficients * factor[:, None]), 1.0)


def test_the_right_reading_sees_images_at_their_own_levels(
    sample: Sample, normalized: Sample
) -> None:
    right = read_as(reversed_doses, normalized)
    assert right is not None
    assert torch.allclose(right.coefficients, sample.coefficients, rtol=1e-5, atol=1e-6)


def test_the_likelihood_is_that_of_the_images_that_were_read(sample: Sample) -> None:
    """A density of c y is |c|^2 times as much of y, for each of P complex numbers."""
    change = declared_dose_weighting(weighted=False)
    plain, leveled = change(sample), read_as(change, with_own_weight(sample, 1.0))
    assert plain is not None
    assert leveled is not None
    assert leveled.levels is not None
    per_image = 2 * sample.coefficients.shape[1] * leveled.levels.factor
    owed = torch.zeros(sample.n_particles).index_add_(0, sample.particle, per_image)
    # scales of images are fitted, so that nothing else differs where nothing is predicted
    error = (blind_likelihood(leveled) - blind_likelihood(plain)).abs()
    assert bool((error < 0.01 * owed.abs()).all())


def test_doses_in_reverse_order_are_seen_in_images_that_were_normalized_by_them(
    normalized: Sample,
) -> None:
    ground = Ground(normalized)
    of_doses = [a for a in alternatives() if a.assumption in {DOSE_ORDER, DOSE_STATE}]
    compared = (c for c in map(ground.compare, of_doses) if c is not None)
    found = {c.alternative.fault: c for c in compared}
    assert found["dose_order"].decision == "contradicted"
    assert found["dose_order"].difference > found["dose_weighted"].difference


def test_readings_of_poses_leave_levels_alone(normalized: Sample) -> None:
    turned = read_as(inverted_orientations, normalized)
    assert turned is not None
    assert turned.coefficients is normalized.coefficients


def test_images_of_other_rows_get_the_levels_of_these(normalized: Sample) -> None:
    """Each image was normalized by the row that it was read for."""
    there = read_as(reversed_images, normalized)
    assert there is not None
    moved = reversed_images(replace(normalized, coefficients=expected(normalized)[:, None] + 0j))
    assert moved is not None
    was = moved.coefficients[:, 0].real
    plain = reversed_images(normalized)
    assert plain is not None
    factor = expected(normalized) / was
    assert torch.allclose(there.coefficients, plain.coefficients * factor[:, None], rtol=1e-4)
    back = read_as(reversed_images, there)
    assert back is not None
    assert torch.allclose(back.coefficients, normalized.coefficients, rtol=1e-4, atol=1e-6)


def test_tomograms_that_were_normalized_whole_change_whole(normalized: Sample) -> None:
    whole = with_own_weight(normalized, 0.0)
    read = read_as(reversed_doses, whole)
    assert read is not None
    assert read.levels is not None
    tomogram = torch.from_numpy(read.tomogram)[read.particle]
    for number in tomogram.unique():
        factors = read.levels.factor[tomogram == number]
        assert float(factors.max() - factors.min()) < 1e-6


def test_samples_of_normalized_images_know_their_levels(
    opened: tuple[Reader, ParticleSet],
) -> None:
    """Read by wrong doses, their levels come back to those of the files."""
    reader, particles = opened
    as_written, _ = load_sample(particles, reader, n_groups=N_GROUPS, progress=no_progress)
    assert as_written.levels is None
    wrong = reversed_doses(as_written)
    assert wrong is not None
    doses = wrong.images.dose_e_per_a2.numpy()
    stated = replace(particles, images=replace(particles.images, dose_e_per_a2=doses))
    normalizing = NormalizingReader(reader, stated, forced=True)
    read, _ = load_sample(stated, normalizing, n_groups=N_GROUPS, progress=no_progress)
    right = read_as(reversed_doses, read)
    assert right is not None

    def spread(sample: Sample) -> float:
        """Of the mean levels of exposures, over those of the files."""
        ratio = sample.coefficients.abs().mean(1) / as_written.coefficients.abs().mean(1)
        _, exposure = torch.unique(sample.images.tilt_deg, return_inverse=True)
        means = torch.bincount(exposure, ratio.log()) / torch.bincount(exposure)
        return float(means.std())

    assert spread(right) < spread(read) / 3
