"""Half sets of refinement are kept where every class has particles in both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.data.labels import Labels
from tomodrgn.core.particles.tables import ImageTable, OpticsGroup, ParticleSet
from tomodrgn.plugins.commands.validate.raw_classes import _halve

N = 12


@pytest.fixture
def particles() -> ParticleSet:
    """Twelve particles of two images, in turn in half sets 1 and 2."""
    n_images = 2 * N
    return ParticleSet(
        source=Path("input.star"),
        tomogram=np.full(N, "t", dtype=object),
        name=np.array([f"p{i}" for i in range(N)], dtype=object),
        source_particle=np.arange(N),
        counts=np.full(N, 2),
        images=ImageTable(
            rotation=np.broadcast_to(np.eye(3, dtype=np.float32), (n_images, 3, 3)),
            shift_px=np.zeros((n_images, 2), np.float32),
            dose_e_per_a2=np.zeros(n_images, np.float32),
            tilt_deg=np.zeros(n_images, np.float32),
            voltage_kv=np.full(n_images, 300, np.float32),
            optics=np.zeros(n_images, np.int64),
        ),
        image_name=np.array([f"{i}@s.mrcs" for i in range(n_images)], dtype=object),
        source_image=np.arange(n_images),
        optics=(OpticsGroup(name="1", pixel_size_a=4.0, box_size_px=8),),
        rows_read=n_images,
        rejected={},
        half_set=np.tile([1, 2], N // 2).astype(np.uint8),
    )


def _classes(of_particle: list[int]) -> Labels:
    classes = np.array(of_particle)
    return Labels(classes, tuple(f"class {row}" for row in range(classes.max() + 1)))


def _is_kept(particles: ParticleSet, halves: np.ndarray) -> bool:
    assert particles.half_set is not None
    return bool(np.array_equal(halves[::2], particles.half_set == 2))


def test_half_sets_in_which_all_classes_lie_are_kept(particles: ParticleSet) -> None:
    halves, usable = _halve(particles, _classes([0] * 6 + [1] * 6), 0)
    assert _is_kept(particles, halves)
    assert np.array_equal(halves[::2], halves[1::2])
    assert usable == (0, 1)


@pytest.mark.parametrize("members", [(1, 3), (1, 3, 5, 7)])
def test_halves_are_drawn_where_a_class_lies_in_one_half_set(
    particles: ParticleSet, members: tuple[int, ...]
) -> None:
    labels = _classes([int(row in members) for row in range(N)])
    halves, usable = _halve(particles, labels, 0)
    assert not _is_kept(particles, halves)
    assert usable == (0, 1)
    assert halves[2 * np.array(members)].mean() == 0.5


def test_a_class_of_one_particle_changes_no_half_sets_and_is_left_out(
    particles: ParticleSet,
) -> None:
    halves, usable = _halve(particles, _classes([0] * 6 + [1] + [2] * 5), 0)
    assert _is_kept(particles, halves)
    assert usable == (0, 2)


def test_where_refinement_made_no_halves_they_are_drawn(particles: ParticleSet) -> None:
    halves, usable = _halve(replace(particles, half_set=None), _classes([0] * 6 + [1] * 6), 0)
    assert usable == (0, 1)
    assert [halves[:N].mean(), halves[N:].mean()] == [0.5, 0.5]
