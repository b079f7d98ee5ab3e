from __future__ import annotations

import numpy as np
import pytest

from tests.core.notebook.small_analysis import LATENTS, small_analysis
from tomodrgn.core.errors import DataError
from tomodrgn.core.notebook.analysis import NotebookAnalysis
from tomodrgn.core.notebook.selections import (
    add_kmeans,
    add_mixture,
    cloud_distance,
    everything,
    in_tomogram,
    inside_outline,
    outliers,
    select_range,
    select_rows,
    select_values,
)


@pytest.fixture
def analysis() -> NotebookAnalysis:
    return small_analysis()


def test_selections_obey_the_laws_of_sets(analysis: NotebookAnalysis) -> None:
    a, b = select_rows(analysis, [0, 1, 2]), select_rows(analysis, [2, 3])
    assert (a & b).rows.tolist() == [2]
    assert (a | b).rows.tolist() == [0, 1, 2, 3]
    assert (a - b).rows.tolist() == (a & ~b).rows.tolist() == [0, 1]
    assert (a ^ b).rows.tolist() == ((a | b) - (a & b)).rows.tolist()
    assert (~(a | b)).rows.tolist() == (~a & ~b).rows.tolist()
    assert len(a | ~a) == len(everything(analysis)) == len(LATENTS)


def test_parts_in_tomograms_make_the_whole(analysis: NotebookAnalysis) -> None:
    chosen = select_rows(analysis, [0, 1, 5])
    parts = chosen.by_tomogram()
    assert sum(map(len, parts.values())) == len(chosen)
    assert all(len(part - in_tomogram(analysis, name)) == 0 for name, part in parts.items())


def test_clusters_find_two_clouds(analysis: NotebookAnalysis) -> None:
    for name in (add_kmeans(analysis, 2), add_mixture(analysis, 2)):
        labels = analysis.table[name].to_numpy()
        assert len(select_values(analysis, name, [0])) == len(LATENTS) // 2
        assert len(set(labels[: len(LATENTS) // 2])) == 1


def test_one_far_particle_is_the_outlier() -> None:
    latents = LATENTS.copy()
    latents[4] += 100
    assert outliers(small_analysis(latents)).rows.tolist() == [4]


def test_distance_from_the_cloud_does_not_depend_on_the_units_of_latents() -> None:
    stretched = LATENTS @ np.array([[3.0, 1.0], [0.0, 0.1]], np.float32)
    np.testing.assert_allclose(cloud_distance(stretched), cloud_distance(LATENTS), rtol=1e-3)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_equal_particles_are_not_far_from_each_other(n: int) -> None:
    assert not cloud_distance(np.ones((n, 3), np.float32)).any()


def test_an_outline_selects_what_a_range_selects(analysis: NotebookAnalysis) -> None:
    corners = [(-1, -9), (1, -9), (1, 99), (-1, 99)]
    inside = inside_outline(analysis, "z0", "z1", corners)
    assert inside.rows.tolist() == select_range(analysis, "z0", -1, 1).rows.tolist()


def test_unknown_columns_rows_and_tomograms_are_refused(analysis: NotebookAnalysis) -> None:
    with pytest.raises(DataError, match="no column 'z9'; found tomogram"):
        select_values(analysis, "z9", [0])
    with pytest.raises(DataError, match="row 99 is none of the"):
        select_rows(analysis, [99])
    with pytest.raises(DataError, match="no tomogram 'x'"):
        in_tomogram(analysis, "x")
    with pytest.raises(DataError, match="holds no numbers"):
        select_range(analysis, "tomogram", 0, 1)


def test_selections_of_two_analyses_are_not_mixed(analysis: NotebookAnalysis) -> None:
    with pytest.raises(DataError, match="of two analyses"):
        everything(analysis) & everything(small_analysis())
