"""Classes are found where there are some, and only there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from tests.core.linear.class_sets import ClassSet, class_set
from tomodrgn.core.linear.basis import MapSpectra
from tomodrgn.core.linear.classes import ClassFit, first_halves, fit_classes, sums_of_class
from tomodrgn.core.linear.classes_held_out import class_gain, held_out_gains, one_map_gains
from tomodrgn.core.linear.classes_passes import run_class_pass
from tomodrgn.core.linear.classes_starts import start_from_chance

if TYPE_CHECKING:
    from torch import Tensor

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    """Two classes of 20 particles."""
    return class_set(tmp_path_factory.mktemp("two"), n_particles=40, n_classes=2, snr=0.5)


@pytest.fixture(scope="module")
def shares(two: ClassSet) -> Tensor:
    """Of these, in classes that began with random members."""
    return _shares(two)


@pytest.fixture(scope="module")
def fit(two: ClassSet, shares: Tensor) -> ClassFit:
    """The classes found from there."""
    return _fit(two, shares)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    """40 particles that are all alike."""
    return class_set(tmp_path_factory.mktemp("one"), n_particles=40, n_classes=1, snr=0.5)


def _shares(given: ClassSet, seed: int = 0) -> Tensor:
    halves = first_halves(given.images, given.rows, given.window_power)
    return start_from_chance(halves, given.keys, 2, seed)


def _fit(given: ClassSet, shares: Tensor) -> ClassFit:
    halves = first_halves(given.images, given.rows, given.window_power)
    return fit_classes(halves, given.images, [shares], given.keys, lambda line: None)


def test_classes_are_found_from_random_members(two: ClassSet, fit: ClassFit) -> None:
    assert adjusted_rand_score(two.labels, fit.labels) == 1.0
    assert fit.held_out.is_significant
    assert fit.is_settled


@pytest.mark.parametrize("seed", [0, 1])
def test_particles_that_are_alike_are_said_to_be(one: ClassSet, seed: int) -> None:
    assert not _fit(one, _shares(one, seed)).held_out.is_significant


def test_posteriors_are_probabilities_of_classes_by_size(fit: ClassFit) -> None:
    torch.testing.assert_close(fit.posterior.sum(1), torch.ones(40))
    assert float(fit.posterior.min()) >= 0
    sizes = np.bincount(fit.labels, minlength=2)
    assert sizes[0] >= sizes[1]


def test_the_names_of_classes_do_not_matter(two: ClassSet, shares: Tensor, fit: ClassFit) -> None:
    renamed = _fit(two, shares.flip(1))
    np.testing.assert_array_equal(fit.labels, renamed.labels)
    # float32 sums in another order
    torch.testing.assert_close(fit.posterior, renamed.posterior, atol=1e-3, rtol=0)


def test_gains_are_differences_of_squared_errors(two: ClassSet) -> None:
    images = two.images.to_radius(4)
    box, rows = images.box_size_px, two.rows[0][:5]
    maps = torch.randn(3, box, box, box, generator=torch.Generator().manual_seed(0))
    precision = torch.linspace(0.5, 2.0, box // 2 + 1)
    found = run_class_pass(images, rows, maps, precision, lambda _, gains: gains.softmax(1))
    expected = torch.zeros_like(found.gains, dtype=torch.float64)
    for block in images.blocks(rows):
        mean, *others = MapSpectra(maps).at(block).to(torch.complex128)
        weight = precision[images.shells] / block.noise_power
        for image, (owner, rank) in enumerate(zip(block.owner, block.rank, strict=True)):
            seen, g = block.observed[image], block.signal_transfer[image]
            before = (weight[image] * (seen - g * mean[image]).abs() ** 2).sum()
            for c, difference in enumerate(others):
                shown = mean[image] + difference[image]
                after = (weight[image] * (seen - g * shown).abs() ** 2).sum()
                expected[owner, rank % 2, c] += before - after
    # float32 sums of large numbers that cancel
    torch.testing.assert_close(found.gains.double(), expected, rtol=1e-4, atol=1e-2)


def test_shares_split_the_sums_of_all_particles(two: ClassSet) -> None:
    share = torch.rand(40, generator=torch.Generator().manual_seed(0))
    parts = [sums_of_class(two.images, two.rows, each) for each in (share, 1 - share)]
    whole = sums_of_class(two.images, two.rows, torch.ones(40))
    for all_of_it, *pieces in zip(whole.grids, *(part.grids for part in parts), strict=True):
        torch.testing.assert_close(sum(pieces), all_of_it, rtol=1e-3, atol=1e-3)


def test_quarters_hold_every_particle_once(two: ClassSet) -> None:
    halves = first_halves(two.images, two.rows, two.window_power)
    quarters = halves.quartered(two.keys).rows
    assert sorted(np.concatenate(quarters).tolist()) == list(range(40))
    assert set(quarters[0]) | set(quarters[1]) == set(two.rows[0])


def test_classes_that_are_the_mean_map_gain_nothing() -> None:
    gains, weights = torch.zeros(7, 2, 3), torch.tensor([[0.5, 0.3, 0.2]])
    torch.testing.assert_close(held_out_gains(gains, weights), torch.zeros(7, 1))
    assert class_gain(torch.zeros(7)).z == 0


def test_a_class_that_is_certain_is_worth_its_gain() -> None:
    gains = torch.tensor([[[80.0, -80.0], [60.0, -60.0]]])
    found = held_out_gains(gains, torch.tensor([[0.5, 0.5]]))
    torch.testing.assert_close(found, torch.tensor([[140.0]]))


def test_maps_that_are_all_better_than_the_mean_map_are_not_classes() -> None:
    better = torch.linspace(0.1, 0.4, 20)[:, None, None].expand(20, 2, 2)
    predicted = held_out_gains(better, torch.tensor([[0.7, 0.3]]))[:, 0]
    assert class_gain(predicted).z > 5  # over the mean map alone
    torch.testing.assert_close(one_map_gains(better), predicted)


def test_one_map_is_the_mean_map_where_no_class_map_predicts_all_particles() -> None:
    gains = torch.tensor([[[9.0, -9.0], [9.0, -9.0]], [[-9.0, 9.0], [-9.0, 8.0]]])
    assert torch.equal(one_map_gains(gains), torch.zeros(2))


def test_misleading_tilts_are_held_against_a_class() -> None:
    gains = torch.tensor([[[9.0, -9.0], [-9.0, 9.0]]])
    assert float(held_out_gains(gains, torch.tensor([[0.5, 0.5]]))) < 0
