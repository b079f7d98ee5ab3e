"""Pictures of a space of volumes: maps of it, clusters in it, and volumes along its axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap, PowerNorm
from matplotlib.ticker import MaxNLocator

from tomodrgn.core.analysis.figures import most_telling_axis
from tomodrgn.core.analysis.style import colour, picture

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tomodrgn.core.analysis.volume_space import Clusters

_MOST_POINTS: Final = 50_000
_MOST_IN_LEGEND: Final = 30
_PANELS_IN_ROW: Final = 5
_PLANES: Final = ("xy", "xz", "yz")  # across z, y, x
_MOST_BARS: Final = 20
_MOST_TOMOGRAMS_NAMED: Final = 40


@dataclass(frozen=True, slots=True)
class PointMap:
    """Points on a plane.

    Attributes:
        places: (N, 2).
        names: of the two axes.
    """

    places: NDArray[np.float32]
    names: tuple[str, str]

    def label(self, axes: Axes) -> None:
        """Name the axes of a panel, which have no unit and no ticks to read."""
        axes.set(xlabel=self.names[0], ylabel=self.names[1])
        axes.margins(0.06)

    @property
    def dot_size(self) -> float:
        """Size of dots that suits their number."""
        return float(np.clip(6000 / len(self.places), 1, 16))

    def shown(self) -> NDArray[np.int64]:
        """Rows to draw one by one: all, or as many as a picture can show."""
        rows = np.random.default_rng(0).permutation(len(self.places))
        return rows[:_MOST_POINTS].astype(np.int64)


def draw_shares(path: Path, shares: NDArray[np.float64], name: str) -> None:
    """Draw the part of the variance on each of the first components, and their sum."""
    shares = shares[:_MOST_BARS]
    with picture(path, width_in=4.6, height_in=3.0) as figure:
        axes = figure.subplots()
        numbers = np.arange(1, len(shares) + 1)
        axes.bar(numbers, 100 * shares, color=colour(0), label="each")
        axes.plot(numbers, 100 * np.cumsum(shares), color=colour(1), marker="o", markersize=3,
                  label="together")  # fmt: skip
        axes.set(xlabel=f"{name} component", ylabel="explained variance (%)", ylim=(0, 104))
        axes.legend(loc="center right", fontsize=8)


def draw_scatter(
    path: Path, points: PointMap, values: NDArray[np.floating] | None = None, name: str = ""
) -> None:
    """Draw points as dots, in the colours of values (N,) where they are given."""
    rows = points.shown()
    with picture(path, width_in=4.4 + 0.6 * (values is not None), height_in=3.9) as figure:
        axes = figure.subplots()
        x, y = points.places[rows].T
        look: dict[str, Any] = {
            "s": points.dot_size,
            "linewidths": 0,
            "alpha": 0.8,
            "rasterized": True,
        }
        if values is None:
            axes.scatter(x, y, color=colour(0), **look)
        else:
            dots = axes.scatter(x, y, c=values[rows], cmap="viridis", **look)
            figure.colorbar(dots, ax=axes, pad=0.02, label=name).outline.set_visible(False)
        points.label(axes)


def draw_hexbin(path: Path, points: PointMap, clusters: Clusters | None = None) -> None:
    """Draw how dense points are, with the centres of clusters where they are given."""
    with picture(path, width_in=5.0, height_in=3.9) as figure:
        axes = figure.subplots()
        shades = ListedColormap(colormaps["Blues"](np.linspace(0.3, 1, 256)))
        x, y = points.places.T
        cells = axes.hexbin(x, y, gridsize=40, mincnt=1, cmap=shades, norm=PowerNorm(0.5, vmin=0))
        ticks = MaxNLocator(6, integer=True)
        bar = figure.colorbar(cells, ax=axes, pad=0.02, label="volumes", ticks=ticks)
        bar.outline.set_visible(False)
        points.label(axes)
        if clusters is not None:
            _annotate(axes, points, clusters)


def draw_annotated(path: Path, points: PointMap, clusters: Clusters) -> None:
    """Draw points in grey, with the volume in the middle of each cluster."""
    with picture(path, width_in=4.4, height_in=3.9) as figure:
        axes = figure.subplots()
        x, y = points.places[points.shown()].T
        axes.scatter(x, y, s=points.dot_size, color="#c3ccd3", linewidths=0, rasterized=True)
        points.label(axes)
        _annotate(axes, points, clusters)


def draw_labels(path: Path, points: PointMap, labels: NDArray[np.int64]) -> None:
    """Draw points in the colours of their labels."""
    rows = points.shown()
    classes, sizes = np.unique(labels, return_counts=True)
    with picture(path, width_in=5.4, height_in=3.9) as figure:
        axes = figure.subplots()
        shades = [colour(label) for label in labels[rows]]
        x, y = points.places[rows].T
        axes.scatter(x, y, s=points.dot_size, c=shades, linewidths=0, alpha=0.85,
                     rasterized=True)  # fmt: skip
        points.label(axes)
        if len(classes) <= _MOST_IN_LEGEND:
            for label, size in zip(classes, sizes, strict=True):
                axes.scatter([], [], s=16, color=colour(label), label=f"{label} ({size})")
            figure.legend(loc="outside right center", fontsize=8, title="cluster (size)",
                          ncols=1 + len(classes) // 16)  # fmt: skip


def draw_panels(path: Path, points: PointMap, labels: NDArray[np.int64]) -> None:
    """Draw each label in a panel of its own, before all points in grey."""
    classes = np.unique(labels)
    width = min(len(classes), _PANELS_IN_ROW)
    height = -(-len(classes) // width)
    with picture(path, width_in=1.9 * width + 0.4, height_in=1.9 * height + 0.3) as figure:
        grid = figure.subplots(height, width, squeeze=False, sharex=True, sharey=True)
        rows = points.shown()
        size = 0.6 * points.dot_size
        for axes in grid.flat[len(classes) :]:
            axes.set_axis_off()
        for axes, label in zip(grid.flat, classes, strict=False):
            own = rows[labels[rows] == label]
            axes.scatter(*points.places[rows].T, s=size, color="#dde2e6", linewidths=0,
                         rasterized=True)  # fmt: skip
            axes.scatter(*points.places[own].T, s=size, color=colour(label), linewidths=0,
                         rasterized=True)  # fmt: skip
            axes.set_title(f"{label} ({(labels == label).sum()})", loc="left", fontsize=9)
            axes.set(xticks=[], yticks=[])
        figure.supxlabel(points.names[0], fontsize=9)
        figure.supylabel(points.names[1], fontsize=9)


def draw_slices(
    path: Path, rows: list[list[NDArray[np.float32]]], titles: list[str], names: list[str]
) -> None:
    """Draw central slices of volumes, a row for each name, all on one grey scale.

    Args:
        path: the picture.
        rows: volumes (D, D, D) of each row.
        titles: of the columns.
        names: of the rows.
    """
    middle = len(rows[0][0]) // 2
    axis = most_telling_axis(rows[0])
    slices = [[np.take(volume, middle, axis) for volume in row] for row in rows]
    low, high = np.percentile(np.array(slices), (0.5, 99.7))
    size = (1.0 * len(titles) + 0.6, 1.02 * len(rows) + 0.6)
    with picture(path, width_in=size[0], height_in=size[1]) as figure:
        figure.suptitle(f"central {_PLANES[axis]} slices, one grey scale", fontsize=10)
        grid = figure.subplots(len(rows), len(titles), squeeze=False)
        for line, row, name in zip(grid, slices, names, strict=True):
            line[0].set_ylabel(name)
            for axes, image in zip(line, row, strict=True):
                axes.imshow(image, cmap="gray", vmin=low, vmax=high, origin="lower",
                            interpolation="bicubic")  # fmt: skip
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
        for axes, title in zip(grid[0], titles, strict=True):
            axes.set_title(title, fontsize=8, pad=3)


def draw_distribution(path: Path, labels: NDArray[np.int64], tomograms: NDArray[np.str_]) -> None:
    """Draw how many members of each cluster each tomogram has."""
    names, place = np.unique(tomograms, return_inverse=True)
    n_labels = int(labels.max()) + 1
    counts = np.zeros((n_labels, len(names)), np.int64)
    np.add.at(counts, (labels, place), 1)
    shown = min(len(names), _MOST_TOMOGRAMS_NAMED)
    size = (1.6 + 0.26 * max(shown, 6), 1.8 + 0.24 * max(n_labels, 4))
    with picture(path, width_in=size[0], height_in=size[1]) as figure:
        axes = figure.subplots()
        image = axes.imshow(counts, cmap="Blues", vmin=0, aspect="auto")
        figure.colorbar(image, ax=axes, pad=0.02, label="particles").outline.set_visible(False)
        axes.set_yticks(range(n_labels))
        if len(names) <= shown:
            axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
        axes.set(xlabel="tomogram", ylabel="cluster")


def draw_control(path: Path, points: PointMap, values: NDArray[np.floating], name: str) -> None:
    """Draw both axes of a map against a quantity, and the map in its colours."""
    rows = points.shown()
    x, y = points.places[rows].T
    look: dict[str, Any] = {
        "s": 0.7 * points.dot_size,
        "linewidths": 0,
        "alpha": 0.7,
        "rasterized": True,
    }
    with picture(path, width_in=9.0, height_in=2.9) as figure:
        first, second, third = figure.subplots(1, 3)
        for axes, place, axis in ((first, x, 0), (second, y, 1)):
            axes.scatter(place, values[rows], color=colour(axis), **look)
            axes.set(xlabel=points.names[axis], ylabel=name)
        dots = third.scatter(x, y, c=values[rows], cmap="viridis", **look)
        figure.colorbar(dots, ax=third, pad=0.02, label=name).outline.set_visible(False)
        points.label(third)


def _annotate(axes: Axes, points: PointMap, clusters: Clusters) -> None:
    """Mark the volume in the middle of each cluster with its number."""
    for label, row in enumerate(clusters.nearest.tolist()):
        x, y = points.places[row]
        axes.scatter([x], [y], s=90, color=colour(label), edgecolors="white", linewidths=0.8,
                     zorder=3)  # fmt: skip
        axes.text(x, y, str(label), ha="center", va="center", fontsize=7, color="white", zorder=4)
