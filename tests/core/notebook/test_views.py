from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.core.notebook.small_analysis import small_analysis
from tomodrgn.core.errors import DataError
from tomodrgn.core.figures.notebook import Picture
from tomodrgn.core.notebook.saving import save_selection
from tomodrgn.core.notebook.selections import select_rows
from tomodrgn.core.notebook.views import lasso, show_latents, show_tomogram

pytestmark = pytest.mark.usefixtures("rendered")


@pytest.mark.parametrize("color_by", [None, "z0", "tomogram", "index"])
def test_latents_are_drawn_in_colors_of_any_column(color_by: str | None) -> None:
    analysis = small_analysis()
    chosen = select_rows(analysis, [1, 2])
    picture = show_latents(analysis, chosen, x="z0", y="z1", color_by=color_by)
    assert isinstance(picture, Picture)
    assert picture.png.startswith(b"\x89PNG")


def test_tomograms_without_a_name_are_called_unnamed(tmp_path: Path) -> None:
    analysis = small_analysis()
    tomogram = np.full(len(analysis.table), "", dtype=object)
    analysis = replace(
        analysis,
        particles=replace(analysis.particles, tomogram=tomogram),
        table=analysis.table.assign(tomogram=tomogram.astype(str)),
    )
    chosen = select_rows(analysis, [1, 2])
    assert show_latents(analysis, chosen, x="z0", y="z1", color_by="tomogram").png
    save_selection(chosen, tmp_path, by_tomogram=True)
    assert (tmp_path / "ind_keep.2.unnamed.pkl").exists()


def test_a_tomogram_is_drawn_with_nothing_selected_too() -> None:
    analysis = small_analysis()
    assert show_tomogram(analysis, "t1", select_rows(analysis, []), color_by="z0").png


def test_a_tomogram_without_coordinates_says_where_to_look() -> None:
    analysis = small_analysis()
    flat = replace(analysis, particles=replace(analysis.particles, position_a=None))
    with pytest.raises(DataError, match="has no coordinates"):
        show_tomogram(flat, "t1")


def test_without_widgets_a_scatter_is_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jscatter", None)
    scatter = lasso(small_analysis(), x="z0", y="z1")
    assert isinstance(scatter.show(), Picture)
    assert len(scatter.selection) == 0
