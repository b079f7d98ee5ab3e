"""Pictures in a notebook: points on planes, some of them chosen."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib import colormaps, style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.path import Path as Outline

from tomodrgn.core.figures.points import MAX_POINTS, label_color
from tomodrgn.core.figures.style import SETTINGS, color_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Plane = tuple[NDArray[Any], NDArray[Any], str, str]

_PALE: Final = "#d5dbe0"
_MAX_IN_LEGEND: Final = 24


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that notebooks show; ``png`` are the bytes of its file."""

    png: bytes

    def _repr_png_(self) -> bytes:
        return self.png


def are_inside(places: NDArray[np.floating], corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,) True for places (N, 2) inside the polygon with corners (n, 2)."""
    inside: NDArray[np.bool_] = Outline(corners).contains_points(places)
    return inside


def draw_places(
    planes: list[Plane],
    *,
    is_chosen: NDArray[np.bool_],
    values: NDArray[Any] | None,
    name: str,
    title: str,
    same_scale: bool,
) -> Picture:
    """Points on one plane or several, side by side: chosen ones in color, the others pale.

    Args:
        planes: x (N,) and y (N,) with the names of the axes.
        is_chosen: (N,).
        values: (N,) numbers or texts to color by.
        name: of the values.
        title: above all.
        same_scale: whether both axes have one unit.
    """
    drawn = np.random.default_rng(0).permutation(len(is_chosen))[:MAX_POINTS]
    pale, bright = drawn[~is_chosen[drawn]], drawn[is_chosen[drawn]]
    with style.context(["default", SETTINGS]):
        figure = Figure(figsize=(4.8 * len(planes), 3.9), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(planes), squeeze=False)[0]
        for axes, (x, y, across, up) in zip(panels, planes, strict=True):
            size = float(np.clip(6000 / max(len(x), 1), 1, 16))
            dots: dict[str, Any] = {"s": size, "linewidths": 0, "rasterized": True}
            axes.scatter(x[pale], y[pale], color=_PALE, **dots)
            shown = None if values is None else values[bright]
            _draw_bright(axes, (x[bright], y[bright]), shown, name, dots)
            axes.set(xlabel=across, ylabel=up)
            if same_scale:
                axes.set_aspect("equal", adjustable="datalim")
        figure.suptitle(title, fontsize=10)
        file = BytesIO()
        figure.savefig(file, format="png", dpi=110)
    return Picture(file.getvalue())


def _draw_bright(
    axes: Axes,
    places: tuple[NDArray[Any], NDArray[Any]],
    values: NDArray[Any] | None,
    name: str,
    dots: dict[str, Any],
) -> None:
    """Draw points in one color, or in those of their values."""
    x, y = places
    if values is None:
        axes.scatter(x, y, color=color_of(0), **dots)
        return
    if values.dtype.kind == "f":
        drawn = axes.scatter(x, y, c=values, cmap=colormaps["viridis"], **dots)
        axes.get_figure(root=True).colorbar(drawn, ax=axes, label=name)  # type: ignore[union-attr]
        return
    labels = sorted(set(values.tolist()))
    for number, label in enumerate(labels):
        here = values == label
        dot_color = label_color(number, len(labels))
        axes.scatter(x[here], y[here], color=dot_color, label=str(label) or "unnamed", **dots)
    if 0 < len(labels) <= _MAX_IN_LEGEND:
        place: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
        axes.legend(title=name, fontsize=7, markerscale=2, **place)
