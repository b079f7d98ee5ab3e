"""What a notebook shows: latents and tomograms, with a lasso where jupyter-scatter is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.figures.notebook import Picture, draw_places
from tomodrgn.core.notebook.selections import Selection, select_rows

if TYPE_CHECKING:
    from tomodrgn.core.notebook.analysis import NotebookAnalysis


class Lasso:
    """A scatter to lasso in; without jupyter-scatter, the same points as a picture."""

    def __init__(
        self, analysis: NotebookAnalysis, x: str, y: str, color_by: str | None = None
    ) -> None:
        for name in (x, y, *([color_by] if color_by else [])):
            analysis.column(name)
        self.analysis, self.x, self.y, self.color_by = analysis, x, y, color_by
        self.scatter = _scatter(analysis, x, y, color_by)

    @property
    def selection(self) -> Selection:
        """What the lasso holds; nothing before it was drawn."""
        rows = [] if self.scatter is None else self.scatter.selection()
        return select_rows(self.analysis, [] if rows is None else rows)

    def select(self, selection: Selection) -> None:
        """Show a selection."""
        if self.scatter is not None:
            self.scatter.selection(selection.rows)

    def show(self) -> Any:
        """The widget, or a picture."""
        if self.scatter is not None:
            return self.scatter.show()
        return show_latents(self.analysis, x=self.x, y=self.y, color_by=self.color_by)


def lasso(
    analysis: NotebookAnalysis,
    *,
    x: str | None = None,
    y: str | None = None,
    color_by: str | None = None,
) -> Lasso:
    """Particles on two columns, UMAP or components by default, to lasso in."""
    across, up = analysis.plane
    return Lasso(analysis, x or across, y or up, color_by)


def show_latents(
    analysis: NotebookAnalysis,
    selection: Selection | None = None,
    *,
    x: str | None = None,
    y: str | None = None,
    color_by: str | None = None,
) -> Picture:
    """A picture of particles on two columns, selected ones in color, others pale."""
    across, up = analysis.plane
    x, y = x or across, y or up
    return _draw(analysis, selection, [(x, y)], color_by, same_scale=False)


def show_tomogram(
    analysis: NotebookAnalysis,
    tomogram: str,
    selection: Selection | None = None,
    *,
    color_by: str | None = None,
) -> Picture:
    """A picture of the particles of a tomogram, from above and from the side, in nanometers.

    Raises:
        DataError: the input has no coordinates, or there is no such tomogram.
    """
    from tomodrgn.core.notebook.selections import in_tomogram

    position = analysis.particles.position_a
    if position is None:
        raise DataError(
            f"{analysis.particles.source}: has no coordinates of particles in their tomograms; "
            "subtomo2chimerax draws them from the volume series of the same particles"
        )
    here = in_tomogram(analysis, tomogram)
    chosen = here if selection is None else here & selection
    places = {f"{axis} (nm)": 0.1 * position[here.is_in, i] for i, axis in enumerate("xyz")}
    return draw_places(
        [(places["x (nm)"], places[up], "x (nm)", up) for up in ("y (nm)", "z (nm)")],
        is_chosen=chosen.is_in[here.is_in],
        values=None if color_by is None else analysis.column(color_by).to_numpy()[here.is_in],
        name=color_by or "",
        title=f"{tomogram}: {len(chosen)} of {len(here)} particles",
        same_scale=True,
    )


def _draw(
    analysis: NotebookAnalysis,
    selection: Selection | None,
    planes: list[tuple[str, str]],
    color_by: str | None,
    *,
    same_scale: bool,
) -> Picture:
    n_particles = len(analysis.table)
    is_chosen = np.ones(n_particles, dtype=bool) if selection is None else selection.is_in
    return draw_places(
        [(analysis.column(x).to_numpy(), analysis.column(y).to_numpy(), x, y) for x, y in planes],
        is_chosen=is_chosen,
        values=None if color_by is None else analysis.column(color_by).to_numpy(),
        name=color_by or "",
        title=f"{int(is_chosen.sum())} of {n_particles} particles",
        same_scale=same_scale,
    )


def _scatter(analysis: NotebookAnalysis, x: str, y: str, color_by: str | None) -> Any:
    """A widget, or None where none is installed."""
    try:
        import jscatter
    except ImportError:
        return None
    table = analysis.table.reset_index(drop=True)
    if color_by and (table[color_by].dtype.kind not in "fM" and table[color_by].nunique() <= 40):  # noqa: PLR2004  colors
        table = table.assign(**{color_by: table[color_by].astype(str).astype("category")})
    return jscatter.Scatter(data=table, x=x, y=y, color_by=color_by, height=480, legend=True)
