"""Maps land where their particles are, and keep their shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tomodrgn.core.fourier.volumes import mirror_z
from tomodrgn.core.geometry.rotations import random_rotations
from tomodrgn.plugins.commands.mapback.transforms import (
    map_centre_a,
    nearest_orthonormal,
    placements,
)

N = 20


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_centre_of_the_map_lands_on_the_particle(rng: np.random.Generator) -> None:
    orientation, position_a = random_rotations(N, rng), rng.uniform(0, 5000, (N, 3))
    centre_a = map_centre_a((32, 48, 64), 3.5)
    transforms = placements(orientation, position_a, centre_a)
    np.testing.assert_allclose(transforms @ [*centre_a, 1], position_a, atol=1e-9)


def test_points_of_the_reference_turn_with_the_particle(rng: np.random.Generator) -> None:
    orientation, position_a = random_rotations(N, rng), rng.uniform(0, 5000, (N, 3))
    centre_a = map_centre_a((32, 32, 32), 8.0)
    offset_a = np.array([40.0, -8.0, 16.0])
    transforms = placements(orientation, position_a, centre_a)
    expected = position_a + orientation @ offset_a
    np.testing.assert_allclose(transforms @ [*(centre_a + offset_a), 1], expected, atol=1e-9)


def test_each_particle_may_have_a_map_of_its_own_size(rng: np.random.Generator) -> None:
    orientation, position_a = random_rotations(2, rng), rng.uniform(0, 5000, (2, 3))
    centres_a = np.stack([map_centre_a((16, 16, 16), 8.0), map_centre_a((32, 32, 32), 4.0)])
    both = placements(orientation, position_a, centres_a)
    for row in range(2):
        alone = placements(orientation[[row]], position_a[[row]], centres_a[row])
        np.testing.assert_allclose(both[[row]], alone)


def test_centre_is_that_of_our_maps() -> None:
    assert map_centre_a((8, 6, 5), 2.0).tolist() == [4.0, 6.0, 8.0]


@pytest.mark.parametrize("edge", [4, 5])
def test_mirrored_map_keeps_its_centre(edge: int) -> None:
    volume = torch.zeros(edge, edge, edge)
    volume[edge // 2, edge // 2, edge // 2] = 1
    z, y, x = torch.argwhere(mirror_z(volume[None])[0])[0].tolist()
    assert map_centre_a((edge, edge, edge), 2.0).tolist() == [2 * x, 2 * y, 2 * z]


def test_rounded_rotations_become_orthonormal(rng: np.random.Generator) -> None:
    rounded = random_rotations(N, rng).round(2)
    made = nearest_orthonormal(rounded)
    np.testing.assert_allclose(
        made @ made.swapaxes(1, 2), np.tile(np.eye(3), (N, 1, 1)), atol=1e-12
    )
    assert np.abs(made - rounded).max() < 0.01
