"""The automatic contour encloses the particle, clean or noisy, bright by any amount."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tomodrgn.core.placement.contour import automatic_level, common_level

EDGE = 32


def ball(radius: float) -> NDArray[np.float32]:
    """A ball of density 1 with an edge one voxel soft."""
    axis = np.arange(EDGE) - EDGE // 2
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    distance = np.sqrt(z**2 + y**2 + x**2)
    return np.clip(radius + 0.5 - distance, 0, 1).astype(np.float32)


@pytest.mark.parametrize("radius", [4, 7, 12])
@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_contour_encloses_the_particle(radius: float, noise: float) -> None:
    particle = ball(radius)
    rng = np.random.default_rng(3)
    volume = particle + noise * rng.standard_normal(particle.shape).astype(np.float32)
    level = automatic_level(volume)
    assert 0.3 < level < 0.7
    wrong = (volume > level) != (particle > 0.5)
    assert wrong.mean() < 0.02


def test_level_follows_scale_and_offset() -> None:
    volume = ball(6)
    level = automatic_level(volume)
    # the offset is coarser than the densities in float32
    assert automatic_level(250 * volume - 40) == pytest.approx(250 * level - 40, abs=0.1)


def test_empty_map_has_its_own_density() -> None:
    assert automatic_level(np.full((8, 8, 8), 2.5, dtype=np.float32)) == 2.5


def test_odd_map_does_not_decide_for_all() -> None:
    alike = ball(6)
    assert common_level([alike, alike, 100 * alike]) == automatic_level(alike)
