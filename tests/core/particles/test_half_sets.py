"""Upstream half sets are kept, odd ones are said, and filaments are not divided."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.particles.half_sets import (
    NO_NUMBER,
    half_set_faults,
    halve_groups,
    halves_of_particles,
)

if TYPE_CHECKING:
    from tomodrgn.core.particles.tables import ParticleSet


@pytest.fixture
def many(particles: ParticleSet) -> ParticleSet:
    """Forty particles without images."""
    n = 40
    rows = np.zeros(n, np.int64)
    fields = particles.take_rows(rows, np.zeros(0, np.int64))
    fields["name"] = np.array([f"p{i}" for i in range(n)], dtype=object)
    return replace(particles, counts=np.zeros(n, np.int64), **fields)


def _halve(particles: ParticleSet, seed: int = 0) -> np.ndarray:
    return halves_of_particles(particles, np.zeros(particles.n_particles, np.int64), seed)


def _with(particles: ParticleSet, *values: int) -> ParticleSet:
    return replace(particles, half_set=np.resize(values, particles.n_particles).astype(np.uint8))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((1,), "all 40 particles are in half set 1"),
        ((2, 2, 2, 0), "all 30 other particles are in half set 2"),
        ((0,), r"no particle is in half set 1 or 2 \(rlnRandomSubset is 0 for 40\)"),
        ((1, 2, 3, 2), "10 of 40 particles are in neither .* is 2 for 20, 1 for 10, 3 for 10;"),
        ((1, 2, NO_NUMBER, 2), "10 of 40 particles are in neither .* no whole number for 10;"),
        ((1, 1, 1, 1, 2), "lopsided: 32 and 8 particles"),
    ],
)
def test_odd_half_sets_are_said_by_checks_and_by_draws(
    values: tuple[int, ...], text: str, many: ParticleSet, caplog: pytest.LogCaptureFixture
) -> None:
    odd = _with(many, *values)
    assert any(re.search(text, fault.text) for fault in half_set_faults(odd))
    with caplog.at_level(logging.WARNING):
        halves = _halve(odd)
    assert re.search(text, caplog.text)
    assert set(halves) == {0, 1}


@pytest.mark.parametrize("values", [(1, 2), (1, 1, 2), (2, 1, 1, 2, 2)])
def test_ordinary_half_sets_pass_in_silence(values: tuple[int, ...], many: ParticleSet) -> None:
    assert half_set_faults(_with(many, *values)) == []
    assert half_set_faults(many) == []


def test_particles_in_neither_half_are_dealt_out_and_others_stay(many: ParticleSet) -> None:
    upstream = _with(many, 1, 2, 3, 0)
    halves = _halve(upstream)
    known = np.resize([True, True, False, False], 40)
    np.testing.assert_array_equal(halves[known], upstream.half_set[known] - 1)
    assert halves[~known].sum() == 10


def test_halves_without_two_sets_are_those_of_a_file_that_states_none(many: ParticleSet) -> None:
    for values in ((0,), (1,), (2, 0)):
        np.testing.assert_array_equal(_halve(_with(many, *values)), _halve(many))


def test_filaments_are_not_divided_and_halves_are_even(many: ParticleSet) -> None:
    sizes = [1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 10]
    filament = np.repeat(np.arange(len(sizes)), sizes).astype(np.uint64)
    of_filament = replace(many, filament=filament)
    halves = _halve(of_filament)
    assert all(len(set(halves[filament == each])) == 1 for each in range(len(sizes)))
    assert abs(2 * halves.sum() - 40) <= 10  # no more than the largest filament
    order = np.random.default_rng(0).permutation(40)
    nothing = np.zeros(0, np.int64)
    shuffled = replace(of_filament, **of_filament.take_rows(order, nothing))
    np.testing.assert_array_equal(_halve(shuffled), halves[order])


def test_one_filament_alone_is_divided(many: ParticleSet) -> None:
    assert _halve(replace(many, filament=np.full(40, 7, np.uint64))).sum() == 20


def test_filaments_of_single_particles_leave_even_halves(many: ParticleSet) -> None:
    assert _halve(replace(many, filament=np.arange(40, dtype=np.uint64))).sum() == 20


def test_each_group_of_filaments_is_halved() -> None:
    groups, units = np.repeat([0, 1], 6), np.tile(np.repeat([0, 1, 2], 2), 2).astype(np.uint64)
    halves = halve_groups(groups, np.linspace(0, 1, 12), units)
    assert set(halves[:6]) == set(halves[6:]) == {0, 1}
    assert (halves.reshape(-1, 2)[:, 0] == halves.reshape(-1, 2)[:, 1]).all()


def test_half_sets_that_divide_a_filament_are_said(many: ParticleSet) -> None:
    filament = np.repeat(np.arange(10), 4).astype(np.uint64)
    divided = replace(_with(many, 1, 2), filament=filament)
    (fault,) = half_set_faults(divided)
    assert "10 of 10 filaments (rlnHelicalTubeID) have particles in both half sets" in fault.text
    kept = replace(_with(many, 1, 1, 1, 1, 2, 2, 2, 2), filament=filament)
    assert half_set_faults(kept) == []


def test_few_particles_in_one_half_set_are_no_news(many: ParticleSet) -> None:
    rows, nothing = np.arange(5), np.zeros(0, np.int64)
    five = _with(replace(many, counts=np.zeros(5, np.int64), **many.take_rows(rows, nothing)), 2)
    assert half_set_faults(five) == []
    assert set(_halve(five)) == {0, 1}
