"""Values belong to particles by their index, and tomograms are told apart exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.plugins.commands.mapback.placed_particles import (
    PlacedParticles,
    rows_by_tomogram,
    values_of,
)

N = 6


@pytest.fixture
def particles() -> PlacedParticles:
    """Six particles of an input of eight, two of which a run has left out."""
    return PlacedParticles(
        source="particles.star",
        tomogram=np.array(["TS_1", "TS_10", "TS_1", "TS_10", "TS_2", "TS_1"], dtype=object),
        index=np.array([0, 1, 3, 4, 6, 7]),
        row=np.arange(N),
        n_input=8,
        n_read=N,
        position_a=np.zeros((N, 3)),
        orientation=None,
    )


def test_values_of_the_whole_input_are_taken_by_index(particles: PlacedParticles) -> None:
    some = particles.take(np.array([4, 5]))
    assert values_of(np.arange(8) * 10, some, "labels.pkl").tolist() == [60, 70]


def test_values_of_the_particles_read_are_taken_by_row(particles: PlacedParticles) -> None:
    some = particles.take(np.array([4, 5]))
    assert values_of(np.arange(6) * 10, some, "labels.pkl").tolist() == [40, 50]


def test_values_of_the_selection_stay(particles: PlacedParticles) -> None:
    some = particles.take(np.array([4, 5]))
    assert values_of(np.array([1, 2]), some, "labels.pkl").tolist() == [1, 2]


def test_other_numbers_of_values_are_refused(particles: PlacedParticles) -> None:
    with pytest.raises(DataError, match=r"labels.pkl: has 7 values; .* has 8 particles, and 6 are"):
        values_of(np.arange(7), particles, "labels.pkl")


def test_tomograms_keep_their_order_and_particles(particles: PlacedParticles) -> None:
    rows = rows_by_tomogram(particles)
    assert {name: chosen.tolist() for name, chosen in rows.items()} == {
        "TS_1": [0, 2, 5],
        "TS_10": [1, 3],
        "TS_2": [4],
    }
    assert list(rows) == ["TS_1", "TS_10", "TS_2"]


def test_one_tomogram_is_named_exactly(particles: PlacedParticles) -> None:
    assert list(rows_by_tomogram(particles, "TS_1")) == ["TS_1"]
    with pytest.raises(DataError, match=r"no tomogram 'TS_'\. Did you mean .* Found: TS_1, TS_10"):
        rows_by_tomogram(particles, "TS_")


def test_a_tomogram_without_name_is_one_too(particles: PlacedParticles) -> None:
    nameless = replace(particles, tomogram=np.full(N, "", dtype=object))
    assert list(rows_by_tomogram(nameless)) == [""]
