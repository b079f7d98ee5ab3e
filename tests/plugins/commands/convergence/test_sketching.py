from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.plugins.commands.convergence.sketching import (
    SketchRule,
    group_name,
    representatives,
    sketch,
)


@pytest.fixture
def islands() -> np.ndarray:
    """Three islands of 300, 200 and 100 points."""
    rng = np.random.default_rng(0)
    centres = np.repeat([[0, 0], [10, 0], [0, 10]], [300, 200, 100], axis=0)
    return centres + 0.4 * rng.standard_normal((600, 2))


def test_every_island_has_its_maximum_the_highest_first(islands: np.ndarray) -> None:
    found = sketch(islands, SketchRule(pruned_maxima=3))
    assert found.names == ["A", "B", "C"]
    centres = [islands[support].mean(0) for support in found.supports]
    np.testing.assert_allclose(centres, [[0, 0], [10, 0], [0, 10]], atol=0.5)


def test_supports_lie_within_one_bin_of_their_maximum(islands: np.ndarray) -> None:
    found = sketch(islands, SketchRule())
    for maximum, support in zip(found.maxima, found.supports, strict=True):
        for axis, edges in enumerate(found.edges):
            low, high = edges[max(maximum[axis] - 1, 0)], edges[min(maximum[axis] + 2, 30)]
            assert (islands[support, axis] >= low - 1e-9).all()
            assert (islands[support, axis] <= high + 1e-9).all()


def test_close_maxima_are_dropped_until_few_are_left_or_all_are_apart() -> None:
    spread = np.random.default_rng(1).random((600, 2))
    many = sketch(spread, SketchRule(smooth_width=None, pruned_maxima=1000, final_maxima=1000))
    apart = sketch(
        spread, SketchRule(smooth_width=None, pruned_maxima=1, radius=6, final_maxima=1000)
    )
    assert len(many.maxima) > len(apart.maxima) >= 3
    distance = np.linalg.norm(apart.maxima[:, None] - apart.maxima[None], axis=2)
    assert distance[np.triu_indices(len(distance), 1)].min() >= 6


def test_at_most_so_many_groups_are_followed(islands: np.ndarray) -> None:
    assert len(sketch(islands, SketchRule(final_maxima=2)).supports) == 2


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.zeros((1, 2)), np.eye(2)])
def test_a_few_points_still_make_a_group(points: np.ndarray) -> None:
    found = sketch(points, SketchRule())
    assert len(found.maxima) >= 1
    assert all(len(support) for support in found.supports)


def test_representatives_are_particles_close_to_the_median() -> None:
    latents = np.array([[0.0, 0], [1, 1], [9, 9], [5, 5], [6, 6]])
    supports = [np.array([0, 1, 2]), np.array([3, 4, 4])]
    np.testing.assert_array_equal(representatives(latents, supports), [1, 4])


def test_names_go_on_after_z() -> None:
    assert [group_name(index) for index in (0, 25, 26, 27, 52)] == ["A", "Z", "AA", "AB", "BA"]
