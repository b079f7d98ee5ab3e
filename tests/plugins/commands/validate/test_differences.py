"""Differences of classes from what they share."""

from __future__ import annotations

import torch

from tests.core.reconstruction.conftest import Recorded
from tomodrgn.core.reconstruction.insertion import empty_sums
from tomodrgn.core.reconstruction.maps import reconstruct
from tomodrgn.core.reconstruction.weights import Attenuation
from tomodrgn.plugins.commands.validate.differences import difference_maps


def test_classes_of_one_structure_do_not_differ(recorded: Recorded) -> None:
    n_images = len(recorded.coefficients)
    sums = reconstruct(
        recorded.coefficients.to(torch.complex64),
        recorded.images.convert(
            lambda column: column.float() if column.is_floating_point() else column
        ),
        [recorded.optics],
        recorded.disc,
        volume_index=torch.arange(n_images) % 2,
        n_volumes=2,
        attenuation=Attenuation(dose=True),
    )
    prior = torch.zeros(recorded.disc.box_size_px // 2 + 1, dtype=torch.float64)
    common, *differences = difference_maps(sums, [0, 1], prior)
    for difference in differences:
        assert difference.square().mean() < 0.02 * common.square().mean()


def test_a_class_without_images_adds_nothing() -> None:
    sums = empty_sums(2, 8, like=torch.empty(0))
    for grid in sums.grids:
        grid[0] = 1.0
    _, _, nothing = difference_maps(sums, [0, 1], torch.ones(5, dtype=torch.float64))
    assert nothing.abs().max() < 1e-6
