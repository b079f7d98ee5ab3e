"""Linear models and classes on a device mix with nothing on the host, and passes do not wait."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
import torch

from tests.core.linear.class_sets import ClassSet, class_set
from tests.core.pretended import DEVICE, pretending
from tomodrgn.core.linear import classes, classes_starts, observations
from tomodrgn.core.linear.classes import first_halves, fit_classes, sums_of_class
from tomodrgn.core.linear.classes_starts import start_from_chance
from tomodrgn.core.linear.observations import Observations
from tomodrgn.core.linear.passes import run_pass

B = 20


class PretendedSource:
    """Coefficients without numbers."""

    def __init__(self, n_coefficients: int) -> None:
        self.n_coefficients = n_coefficients

    def batches(self, requests: Iterable[np.ndarray]) -> Iterator[torch.Tensor]:
        for rows in requests:
            yield torch.zeros(len(rows), self.n_coefficients, 2, device=DEVICE)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> ClassSet:
    return class_set(tmp_path_factory.mktemp("away"), n_particles=B, n_classes=2, snr=2.0)


def away(given: ClassSet) -> Observations:
    """The images on a device that is not there."""
    images = given.images
    return Observations(
        images.particles,
        images.disc,
        PretendedSource(len(images.disc)),
        images.cache_rows,
        radius_px=images.radius_px,
        device=DEVICE,
    )


def test_passes_do_not_wait_for_the_device(
    given: ClassSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pretending(monkeypatch) as waits:
        images = away(given).to_radius(4)
        box = images.box_size_px
        maps = torch.zeros(3, box, box, box, device=DEVICE)
        precision = torch.ones(box // 2 + 1, device=DEVICE)
        monkeypatch.setattr(observations, "coefficients_at_once", lambda _: 100)
        waits.found.clear()
        found = run_pass(images, given.rows[0], maps, precision)
        assert found.residual.device == DEVICE
        assert waits.found == ["aten._to_copy.default"]  # once, not for each of ten blocks


def test_classes_mix_with_nothing_on_the_host(
    given: ClassSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classes_starts, "_ANNEALING_ROUNDS", 1)
    monkeypatch.setattr(classes_starts, "_FINAL_ROUNDS", 0)
    monkeypatch.setattr(classes_starts, "MAP_RESTARTS", 2)
    monkeypatch.setattr(classes, "_MOST_ROUNDS", 1)
    with pretending(monkeypatch):
        images = away(given)
        halves = first_halves(images, given.rows, given.window_power)
        shares = start_from_chance(halves, given.keys, 2, 0)
        found = fit_classes(halves, images, [shares], given.keys, lambda _: None)
        sums = sums_of_class(images, given.rows, found.posterior[:, 0])
    assert sums.power.device == DEVICE
