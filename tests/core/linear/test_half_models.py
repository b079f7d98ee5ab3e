"""Two halves side by side: in one frame, each judged by the model of the other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch

from tests.core.linear.class_sets import ClassSet, class_set
from tomodrgn.core.linear.half_models import (
    HalfModels,
    Halves,
    cores_for_halves,
    run_both,
    standard_change,
    with_mean,
)
from tomodrgn.core.linear.latents import Posterior
from tomodrgn.core.linear.passes import run_pass

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.linear.observations import Observations

CPU = torch.device("cpu")
B, K = 20, 2

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    """Two classes of ten particles."""
    return class_set(tmp_path_factory.mktemp("two"), n_particles=B, n_classes=2, snr=2.0)


@pytest.fixture(scope="module")
def start() -> torch.Tensor:
    return torch.randn(B, K, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def halves(given: ClassSet) -> Halves:
    return Halves(given.images.to_radius(4), given.rows, given.window_power)


@pytest.fixture(scope="module")
def models(halves: Halves, start: torch.Tensor) -> HalfModels:
    return _after_rounds(halves, start)


def _after_rounds(halves: Halves, start: torch.Tensor) -> HalfModels:
    models = halves.begin(start)
    for is_start in (True, True, True, False, False):
        models = halves.improve(models, is_start=is_start)
    return models


def test_particles_differ_after_a_few_rounds(given: ClassSet, models: HalfModels) -> None:
    correlation = np.corrcoef(models.latents[:, 0], given.labels)[0, 1]
    assert abs(correlation) > 0.8
    assert models.evidence > 0


def test_maps_of_both_halves_agree_in_order(models: HalfModels) -> None:
    mean, first, second = models.fsc[:, 1:5].mean(1).tolist()
    assert mean > first > second
    one, other = models.maps.flatten(2)
    similar = torch.cosine_similarity(one, other)
    assert similar.tolist() == sorted(similar.tolist(), reverse=True)


def test_the_names_of_halves_do_not_matter(
    halves: Halves, start: torch.Tensor, models: HalfModels
) -> None:
    swapped = Halves(halves.images, halves.rows[::-1], halves.window_power)
    again = _after_rounds(swapped, start)
    assert again.evidence == pytest.approx(models.evidence, rel=0.02)  # the second half is turned
    torch.testing.assert_close(again.latents[:, 0].abs(), models.latents[:, 0].abs(), atol=0.1,
                               rtol=0)  # fmt: skip


def test_each_particle_is_judged_by_the_other_half(halves: Halves, models: HalfModels) -> None:
    terms = halves.cross_terms(models)
    for half, rows in enumerate(halves.rows):
        other = run_pass(halves.images, rows, models.maps[1 - half], models.precision).terms
        torch.testing.assert_close(terms.matrix[rows], other.matrix)
        torch.testing.assert_close(terms.vector[rows], other.vector)


def test_latents_are_standard_in_each_half(halves: Halves, models: HalfModels) -> None:
    passes = halves.passes(models.maps, models.precision)
    for each in passes:
        found = each.found
        change = standard_change(found)
        u = torch.cat([torch.ones(len(found.mean), 1), found.mean], dim=1)
        moments = u[:, :, None] * u[:, None]
        moments[:, 1:, 1:] += found.covariance
        torch.testing.assert_close(change @ moments.mean(0) @ change.T, torch.eye(1 + K),
                                   atol=1e-4, rtol=0)  # fmt: skip


def test_standard_latents_stay_as_they_are() -> None:
    mean = torch.tensor([[1.0], [-1.0]]) / 2**0.5
    found = Posterior(mean, torch.full((2, 1, 1), 0.5))
    torch.testing.assert_close(standard_change(found), torch.eye(2))


def test_a_change_of_latents_leaves_the_mean() -> None:
    change = with_mean(torch.full((2, 2), 3.0))
    assert change[0].tolist() == [1, 0, 0]
    assert change[:, 0].tolist() == [1, 0, 0]
    assert bool((change[1:, 1:] == 3).all())


def test_leading_latents_are_kept(models: HalfModels) -> None:
    fewer = models.first(1)
    assert fewer.maps.shape[1] == len(fewer.fsc) == len(fewer.prior) == 2
    assert torch.equal(fewer.latents, models.latents[:, :1])


def test_models_fit_the_box_of_another_resolution(
    given: ClassSet, halves: Halves, models: HalfModels
) -> None:
    finer = halves.at(given.images.to_radius(6))
    resized = finer.resized(models)
    assert resized.maps.shape == (2, 1 + K, 14, 14, 14)
    assert len(resized.precision) == 8
    torch.testing.assert_close(resized.precision[:5], models.precision[:5])
    torch.testing.assert_close(resized.precision[5:], models.precision[4].expand(3))


def _images_on(device: torch.device) -> Observations:
    return cast("Observations", SimpleNamespace(device=device, are_kept=False))


@pytest.mark.parametrize("device", [CPU, torch.device("meta")])
def test_results_come_in_the_order_of_halves(device: torch.device) -> None:
    assert run_both(lambda half: half, _images_on(device)) == [0, 1]


def test_a_fault_of_either_half_is_raised() -> None:
    def fails(half: int) -> int:
        return 1 // half

    with pytest.raises(ZeroDivisionError):
        run_both(fails, _images_on(CPU))


def test_threads_are_as_before_afterwards() -> None:
    before = torch.get_num_threads()

    def work(finish: Callable[[], object]) -> None:
        with cores_for_halves(CPU):
            assert torch.get_num_threads() == max(1, before // 2)
            finish()

    with pytest.raises(ZeroDivisionError):
        work(lambda: 1 // 0)
    assert torch.get_num_threads() == before


def test_latents_are_first_looked_for_beside_the_mean_of_all(
    given: ClassSet, halves: Halves, start: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[torch.Tensor] = []
    passes = Halves.passes

    def noted(self: Halves, maps: torch.Tensor, *others: Any, **more: Any) -> Any:
        asked.append(maps)
        return passes(self, maps, *others, **more)

    monkeypatch.setattr(Halves, "passes", noted)
    models = halves.begin(start)
    assert [maps.shape[1] for maps in asked] == [1, 1]
    assert float(asked[0].abs().max()) == 0
    for mean, later in zip(asked[1][:, 0].flatten(1), models.maps[:, 0].flatten(1), strict=True):
        assert float(torch.cosine_similarity(mean, later, dim=0)) > 0.9
    assert torch.equal(models.latents, start)
