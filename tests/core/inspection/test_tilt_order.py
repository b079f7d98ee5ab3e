"""Images in the order of their rows show what sets their predictions apart; in any order, none."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tomodrgn.core.inspection.image_changes import scrambled_particles, scrambled_tilts
from tomodrgn.core.inspection.likelihood import fit
from tomodrgn.core.inspection.sample import Sample, reversed_within
from tomodrgn.core.inspection.tilt_order import share_in_order

N_TILTS = 9


def test_images_in_the_order_of_their_rows_show_it_all(sample: Sample) -> None:
    share, error = share_in_order(sample, fit(sample))
    assert error < 0.05
    assert share == pytest.approx(1, abs=0.15)


def test_images_in_any_order_show_nothing_of_it(sample: Sample) -> None:
    mixed = scrambled_tilts(sample)
    for fitted in (fit(sample), fit(mixed)):  # a right map or a wrong one
        share, error = share_in_order(mixed, fitted)
        assert abs(share) < 4 * error < 0.5


def test_over_all_rotations_of_the_order_the_share_is_0(sample: Sample) -> None:
    """Each row then shows each image of its particle once."""
    fitted = fit(sample)
    tilts = torch.arange(len(sample.particle)).reshape(-1, N_TILTS)
    shares = []
    for step in range(N_TILTS):
        rolled = sample.coefficients[tilts.roll(step, 1).ravel()]
        shares.append(share_in_order(replace(sample, coefficients=rolled), fitted).share)
    assert shares[0] > 10 * abs(sum(shares) / N_TILTS)


def test_particles_in_any_order_take_their_part_of_it_away(sample: Sample) -> None:
    mixed, fitted = scrambled_tilts(sample).coefficients, fit(sample)
    is_mixed = (sample.particle // 2 % 2 == 0)[:, None]
    shares = [
        share_in_order(replace(sample, coefficients=some), fitted).share
        for some in (
            torch.where(is_mixed, mixed, sample.coefficients),
            torch.where(is_mixed, sample.coefficients, mixed),
        )
    ]
    assert min(shares) > 0.3
    assert max(shares) < 0.8


def test_images_of_other_particles_show_nothing_of_it(sample: Sample) -> None:
    share, error = share_in_order(scrambled_particles(sample), fit(sample))
    assert abs(share) < 4 * error < 0.5


def test_images_without_a_particle_tell_nothing(sample: Sample) -> None:
    reverse = reversed_within(sample.particle)
    silent = replace(sample, coefficients=torch.zeros_like(sample.coefficients[reverse]))
    assert share_in_order(silent, fit(silent)) == (0.0, float("inf"))
