"""A particle without weight is as good as not there, and yet it is seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.core.linear.class_sets import ClassSet, class_set
from tomodrgn.core.linear.classes_passes import run_class_pass
from tomodrgn.core.linear.half_models import collected
from tomodrgn.core.linear.passes import run_pass
from tomodrgn.core.linear.weighting import mean_of, z_of_mean

B = 12

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    folder = tmp_path_factory.mktemp("weights")
    return class_set(folder, n_particles=B, n_classes=2, snr=2.0)


def test_sums_of_a_pass_are_those_without_the_particle(given: ClassSet) -> None:
    images, maps, precision = _model(given)
    weights = torch.ones(B)
    weights[3] = 0
    all_rows = np.arange(B)
    weighted = run_pass(images.weighted(weights), all_rows, maps, precision)
    without = run_pass(images, np.delete(all_rows, 3), maps, precision)
    for name in ("residual", "noise_transfer", "signal_transfer"):
        one, other = getattr(weighted, name), getattr(without, name)
        torch.testing.assert_close(one, other, rtol=1e-5, atol=0)  # single precision
    torch.testing.assert_close(collected(weighted).rows, collected(without).rows)
    alone = run_pass(images, all_rows, maps, precision)
    torch.testing.assert_close(weighted.found.mean, alone.found.mean)  # it has a latent


def test_sums_of_classes_are_those_without_the_particle(given: ClassSet) -> None:
    images, maps, precision = _model(given)
    weights = torch.ones(B)
    weights[3] = 0
    all_rows = np.arange(B)

    def both(images: object, rows: np.ndarray) -> object:
        return run_class_pass(images, rows, maps, precision, lambda _, gains: gains.softmax(1))

    weighted, without = (
        both(images.weighted(weights), all_rows),
        both(images, np.delete(all_rows, 3)),
    )
    torch.testing.assert_close(weighted.residual, without.residual, rtol=1e-5, atol=0)
    torch.testing.assert_close(weighted.sums.real, without.sums.real)
    torch.testing.assert_close(weighted.sums.power, without.sums.power)


def _model(given: ClassSet) -> tuple:
    images = given.images.to_radius(5)
    box = images.box_size_px
    maps = torch.randn(3, box, box, box, generator=torch.Generator().manual_seed(1))
    return images, maps, torch.full((box // 2 + 1,), 0.1)


def test_means_are_those_of_the_particles_that_count() -> None:
    values = torch.arange(12.0).view(4, 3).square()
    weights = torch.tensor([1.0, 0.0, 1.0, 1.0])
    torch.testing.assert_close(mean_of(values, weights), values[[0, 2, 3]].mean(0))
    torch.testing.assert_close(mean_of(values, None), values.mean(0))


def test_z_of_equal_weights_is_that_of_none() -> None:
    values = torch.randn(2, 1000, generator=torch.Generator().manual_seed(2)) + 0.1
    alike = z_of_mean(values, torch.full((1000,), 0.3))
    torch.testing.assert_close(alike, z_of_mean(values, None), rtol=1e-3, atol=0)  # n or n - 1
    assert z_of_mean(torch.zeros(1, 5), None).tolist() == [0]
