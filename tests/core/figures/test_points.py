from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.figures import points as point_figures
from tomodrgn.core.figures.gallery import central_slices
from tomodrgn.core.figures.points import Points, draw_hexbin, draw_scatter, label_color

pytestmark = pytest.mark.usefixtures("rendered")


@pytest.mark.parametrize("n_labels", [2, 8, 9, 20, 40])
def test_clusters_of_a_picture_have_different_colors(n_labels: int) -> None:
    assert len({label_color(label, n_labels) for label in range(n_labels)}) == n_labels


def test_of_many_points_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(point_figures, "MAX_POINTS", 10)
    shown = Points(np.zeros((100, 2), np.float32), ("a", "b")).shown
    assert len(set(shown.tolist())) == 10


def test_far_points_do_not_squeeze_the_others() -> None:
    places = np.random.default_rng(0).uniform(size=(5000, 2)).astype(np.float32)
    places[0] = 1000
    x_low, x_high, _, y_high = Points(places, ("a", "b")).limits
    assert x_low > -0.2
    assert max(x_high, y_high) < 1.3


def test_equal_points_can_be_drawn(tmp_path: Path) -> None:
    points = Points(np.ones((5, 2), np.float32), ("a", "b"))
    draw_scatter(tmp_path / "scatter.png", points, np.ones(5), "values")
    draw_hexbin(tmp_path / "hexbin.png", points)
    assert len(list(tmp_path.glob("*.png"))) == 2


def test_central_slices_go_through_the_middle_of_each_axis() -> None:
    volume = np.arange(64, dtype=np.float32).reshape(4, 4, 4)
    slices = central_slices(volume)
    assert all(each[2, 2] == volume[2, 2, 2] for each in slices)
    assert np.array_equal(slices[0], volume[2])
