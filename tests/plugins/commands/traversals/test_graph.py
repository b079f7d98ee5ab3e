from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.plugins.commands.traversals.graph import neighbor_graph, path_between

LINE = np.arange(10, dtype=np.float32)[:, None]


def test_a_way_along_a_line_visits_all_between() -> None:
    graph = neighbor_graph(LINE, max_neighbors=2, average_neighbors=None)
    assert path_between(graph, [2, 6]).tolist() == [2, 3, 4, 5, 6]


def test_anchors_are_visited_in_their_order() -> None:
    graph = neighbor_graph(LINE, max_neighbors=2, average_neighbors=None)
    assert path_between(graph, [1, 3, 0]).tolist() == [1, 2, 3, 2, 1, 0]


def test_a_way_goes_around_a_gap_rather_than_across() -> None:
    angle = np.linspace(0, 1.8 * np.pi, 40)
    ring = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    graph = neighbor_graph(ring, max_neighbors=3, average_neighbors=None)
    path = path_between(graph, [0, 39])
    assert (np.diff(path) > 0).all()
    assert len(path) >= 14


def test_no_particle_is_its_own_neighbor_even_among_equals() -> None:
    latents = np.repeat(LINE[:3], 4, axis=0)
    graph = neighbor_graph(latents, max_neighbors=3, average_neighbors=None)
    assert (graph.diagonal() == 0).all()
    assert np.diff(graph.indptr).tolist() == [3] * 12


def test_equal_latents_are_connected() -> None:
    graph = neighbor_graph(np.zeros((4, 2), np.float32), max_neighbors=3, average_neighbors=None)
    assert path_between(graph, [0, 3]).tolist() == [0, 3]


def test_the_longest_steps_are_ruled_out() -> None:
    latents = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    every = neighbor_graph(latents, max_neighbors=10, average_neighbors=None)
    some = neighbor_graph(latents, max_neighbors=10, average_neighbors=4)
    assert 796 <= some.nnz <= 800  # mutual neighbors have edges of one length
    assert some.data.max() <= np.sort(every.data)[800]


def test_where_no_way_leads_nothing_is_returned() -> None:
    apart = np.concatenate([LINE, LINE + 1000])
    graph = neighbor_graph(apart, max_neighbors=3, average_neighbors=None)
    with pytest.raises(DataError, match=r"no way leads from particle 0 to particle 15.*neighbors"):
        path_between(graph, [0, 15])


def test_more_neighbors_than_particles_are_all_of_them() -> None:
    graph = neighbor_graph(LINE[:3], max_neighbors=10, average_neighbors=None)
    assert graph.nnz == 6
