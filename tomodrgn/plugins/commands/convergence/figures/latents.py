"""Pictures of how the latents of a run settle: maps by epoch, shifts, groups, dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm

from tomodrgn.core.figures.style import QUIET, color_of, line_of, picture, show_epochs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tomodrgn.plugins.commands.convergence.sketching import Sketch

_SHIFTS: Final = (
    "product of successive shifts",
    "length of the shift",
    "1 - cosine of successive shifts",
)
_COLUMNS: Final = 4
_PANEL_IN: Final = 2.1
_HEXAGONS: Final = 50


def maps_by_epoch(
    path: Path,
    maps: Mapping[int, NDArray[np.floating]],
    *,
    names: tuple[str, str],
    title: str,
    common_axes: bool,
) -> None:
    """Draw the density of particles on a map of the latents of each epoch.

    Args:
        path: the picture.
        maps: (n, 2) by epoch.
        names: of the two axes.
        title: of the picture.
        common_axes: whether places mean the same in every epoch.
    """
    n_columns = min(_COLUMNS, len(maps))
    n_rows = -(-len(maps) // n_columns)
    limits = _limits(np.concatenate(list(maps.values()))) if common_axes else None
    size = {"width_in": _PANEL_IN * n_columns + 0.6, "height_in": _PANEL_IN * n_rows + 0.7}
    with picture(path, **size) as figure:
        figure.suptitle(title, x=0.02, ha="left", fontsize=10)
        grid = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        for axes, (epoch, places) in zip(grid, maps.items(), strict=False):
            _density(axes, places, limits or _limits(places))
            axes.set_title(f"epoch {epoch}", loc="left", fontsize=9)
            if limits is None:
                axes.set(xticks=[], yticks=[])
        for axes in grid[len(maps) :]:
            axes.set_axis_off()
        figure.supxlabel(names[0], fontsize=9)
        figure.supylabel(names[1], fontsize=9)


def shifts(path: Path, epochs: Sequence[int], medians: NDArray[np.float64]) -> None:
    """Draw how latents move, medians (E, 3) over particles, by the epoch before each shift."""
    with picture(path, width_in=9.6, height_in=2.7) as figure:
        for place, (axes, title) in enumerate(zip(figure.subplots(1, 3), _SHIFTS, strict=True)):
            axes.plot(epochs, medians[:, place], color=color_of(place))
            axes.axhline(0, color=QUIET, linewidth=0.6)
            axes.set_title(f"median {title}", loc="left", fontsize=9)
            show_epochs(axes)


def sketched_groups(
    path: Path, points: NDArray[np.floating], found: Sketch, names: tuple[str, str]
) -> None:
    """Draw a map (n, 2), the counts on its grid, their maxima, and the particles around these."""
    with picture(path, width_in=9.6, height_in=2.9) as figure:
        row = figure.subplots(1, 4, sharex=True, sharey=True)
        x_edges, y_edges = found.edges
        _density(row[0], points, _limits(points))
        for edges, line in ((x_edges, row[0].axvline), (y_edges, row[0].axhline)):
            for edge in edges:
                line(edge, color=QUIET, linewidth=0.2, alpha=0.6)
        for axes, values in ((row[1], found.counts), (row[2], found.density)):
            axes.pcolormesh(x_edges, y_edges, values.T, cmap="Greys", rasterized=True)
        centres = [(edges[1:] + edges[:-1]) / 2 for edges in found.edges]
        row[3].scatter(*_some(points).T, s=2, color="#dddddd", linewidths=0, rasterized=True)
        for index, (maximum, support) in enumerate(zip(found.maxima, found.supports, strict=True)):
            x, y = centres[0][maximum[0]], centres[1][maximum[1]]
            row[2].scatter(x, y, s=16, facecolors="none", edgecolors=color_of(4), linewidths=1.2)
            members = points[support]
            row[3].scatter(*members.T, s=3, color=color_of(index), linewidths=0, rasterized=True)
            row[3].annotate(
                found.names[index], (x, y), fontsize=9, fontweight="bold", ha="center", va="center"
            )
        titles = ("particles and grid", "particles per bin", "smoothed, maxima", "groups followed")
        for axes, title in zip(row, titles, strict=True):
            axes.set_title(title, loc="left", fontsize=9)
            axes.set_xlabel(names[0])
        row[0].set_ylabel(names[1])


def group_places(
    path: Path,
    maps: Mapping[int, NDArray[np.floating]],
    places: Mapping[int, NDArray[np.floating]],
    labels: Sequence[str],
    names: tuple[str, str],
) -> None:
    """Draw where the representative of each group lies on the map of each epoch.

    Args:
        path: the picture.
        maps: (n, 2) by epoch.
        places: (L, 2) of the representatives, by epoch.
        labels: of the groups.
        names: of the two axes.
    """
    n_columns = min(_COLUMNS, len(maps))
    n_rows = -(-len(maps) // n_columns)
    size = {"width_in": _PANEL_IN * n_columns + 0.6, "height_in": _PANEL_IN * n_rows + 0.5}
    with picture(path, **size) as figure:
        grid = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        for axes, epoch in zip(grid, maps, strict=False):
            some = _some(maps[epoch])
            axes.scatter(*some.T, s=2, color="#cccccc", linewidths=0, rasterized=True)
            for index, (place, label) in enumerate(zip(places[epoch], labels, strict=True)):
                axes.scatter(
                    *place, s=26, color=color_of(index), edgecolors="white", linewidths=0.6
                )
                axes.annotate(label, place, xytext=(3, 3), textcoords="offset points", fontsize=8)
            axes.set_title(f"epoch {epoch}", loc="left", fontsize=9)
            axes.set(xticks=[], yticks=[])
        for axes in grid[len(maps) :]:
            axes.set_axis_off()
        figure.supxlabel(names[0], fontsize=9)
        figure.supylabel(names[1], fontsize=9)


def activity(path: Path, table: pd.DataFrame) -> None:
    """Draw how much each latent dimension is used, by epoch.

    Args:
        path: the picture.
        table: columns ``epoch``, ``divergence`` and ``volume_variance``, the last two lists of Z.
    """
    panels = {
        "divergence": "KL divergence from the prior (nat)",
        "volume_variance": "volume variance (relative)",
    }
    with picture(path, width_in=8.6, height_in=3.0) as figure:
        for axes, (column, title) in zip(figure.subplots(1, 2), panels.items(), strict=True):
            values = np.array(table[column].tolist())
            for dimension, series in enumerate(values.T):
                label = f"latent {dimension + 1}"
                axes.plot(table["epoch"], series, **line_of(dimension), label=label)
            axes.set_ylim(bottom=0)
            axes.set_title(title, loc="left")
            show_epochs(axes)
        figure.legend(
            *axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8,
            ncols=-(-values.shape[1] // 12),
        )  # fmt: skip


def _density(
    axes: Axes, places: NDArray[np.floating], limits: tuple[float, float, float, float]
) -> None:
    """Particles in hexagons, on a logarithmic scale."""
    x_low, x_high, y_low, y_high = limits
    axes.hexbin(
        *places.T, gridsize=_HEXAGONS, extent=limits, cmap=_counts_colors(), mincnt=1,
        norm=LogNorm(), linewidths=0.1, rasterized=True,
    )  # fmt: skip
    axes.set(xlim=(x_low, x_high), ylim=(y_low, y_high))


def _counts_colors() -> Any:
    return colormaps["cividis_r"]


def _limits(places: NDArray[np.floating]) -> tuple[float, float, float, float]:
    """Bounds of nearly all places, along x and y."""
    low, high = np.percentile(places, (0.1, 99.9), axis=0)
    margin = np.maximum(0.08 * (high - low), 1e-6)
    (x_low, y_low), (x_high, y_high) = low - margin, high + margin
    return float(x_low), float(x_high), float(y_low), float(y_high)


def _some(points: NDArray[np.floating], most: int = 20_000) -> NDArray[np.floating]:
    """Evenly chosen points."""
    return points[:: -(-len(points) // most)]
