"""Pictures of points on a plane: particles or volumes, their clusters, and what goes with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap, PowerNorm, to_hex
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from tomodrgn.core.figures.style import PALETTE, QUIET, color_of, picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MAX_POINTS: Final = 50_000
"""Points that are drawn one by one; of more, so many are drawn at random."""
_MAX_IN_LEGEND: Final = 40
_LEGEND_ROWS: Final = 16
_PANELS_IN_ROW: Final = 5
_MAX_BARS: Final = 20
_MAX_TOMOGRAMS_NAMED: Final = 40
_PALE: Final = "#d5dbe0"
_DOTS: Final[dict[str, Any]] = {"linewidths": 0, "rasterized": True}


@dataclass(frozen=True)
class Points:
    """N points on a plane.

    Attributes:
        places: (N, 2).
        names: of the two axes.
        things: what the points are.
    """

    places: NDArray[np.float32]
    names: tuple[str, str]
    things: str = "particles"

    @cached_property
    def shown(self) -> NDArray[np.int64]:
        """Rows (n,) to draw one by one, in random order so that none lies on top by its number."""
        rows = np.random.default_rng(0).permutation(len(self.places))
        return rows[:MAX_POINTS].astype(np.int64)

    @cached_property
    def limits(self) -> tuple[float, float, float, float]:
        """Bounds of nearly all points, along x and y."""
        low, high = np.percentile(self.places, (0.05, 99.95), axis=0)
        margin = np.maximum(0.06 * (high - low), 1e-6)
        (x_low, y_low), (x_high, y_high) = low - margin, high + margin
        return float(x_low), float(x_high), float(y_low), float(y_high)

    @property
    def dot_size(self) -> float:
        """Size of dots that suits their number."""
        return float(np.clip(6000 / len(self.places), 1, 16))

    def frame(self, axes: Axes) -> None:
        """Name and bound the axes of a panel."""
        x_low, x_high, y_low, y_high = self.limits
        axes.set(xlabel=self.names[0], ylabel=self.names[1])
        axes.set(xlim=(x_low, x_high), ylim=(y_low, y_high))


def label_color(label: int, n_labels: int) -> str:
    """Color of a cluster; of many clusters, neighbors in number are neighbors in color."""
    if n_labels <= len(PALETTE):
        return color_of(label)
    return to_hex(colormaps["plasma"](0.92 * label / (n_labels - 1)))


def draw_shares(path: Path, shares: NDArray[np.float64], name: str) -> None:
    """Draw the part (Z,) of the variance on each of the first components, and their sum."""
    shares = shares[:_MAX_BARS]
    with picture(path, width_in=4.6, height_in=3.0) as figure:
        axes = figure.subplots()
        numbers = np.arange(1, len(shares) + 1)
        axes.bar(numbers, 100 * shares, width=0.7, color=color_of(0), label="each")
        axes.plot(numbers, 100 * np.cumsum(shares), color=color_of(1), marker="o", markersize=3,
                  label="together")  # fmt: skip
        axes.set(xlabel=f"{name} component", ylabel="explained variance (%)", ylim=(0, 104))
        axes.set_xlim(0.4, len(shares) + 0.6)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        figure.legend(loc="outside upper right", ncols=2, fontsize=8)


def draw_scatter(
    path: Path, points: Points, values: NDArray[np.floating] | None = None, name: str = ""
) -> None:
    """Draw points as dots, in the colors of values (N,) where they are given."""
    with picture(path, width_in=4.4 + 0.6 * (values is not None), height_in=3.9) as figure:
        axes = figure.subplots()
        if values is None:
            x, y = points.places[points.shown].T
            axes.scatter(x, y, s=points.dot_size, color=color_of(0), alpha=0.6, **_DOTS)
            points.frame(axes)
        else:
            _colored(figure, axes, points, values, name)
        _say_how_many(axes, points)


def draw_hexbin(path: Path, points: Points, marks: NDArray[np.floating] | None = None) -> None:
    """Draw how dense points are, with numbered places (K, 2) where they are given."""
    with picture(path, width_in=5.0, height_in=3.9) as figure:
        axes = figure.subplots()
        shades = ListedColormap(colormaps["Blues"](np.linspace(0.25, 1, 256)))
        cells = axes.hexbin(
            *points.places.T,
            gridsize=50,
            extent=points.limits,
            mincnt=1,
            cmap=shades,
            norm=PowerNorm(0.5, vmin=0),
            linewidths=0.1,
        )
        ticks = MaxNLocator(6, integer=True)
        label = f"{points.things} per cell"
        bar = figure.colorbar(cells, ax=axes, pad=0.02, label=label, ticks=ticks)
        bar.outline.set_visible(False)
        points.frame(axes)
        if marks is not None:
            _mark(axes, marks)


def draw_annotated(
    path: Path, points: Points, marks: NDArray[np.floating], *, joined: bool = False
) -> None:
    """Draw points in gray with numbered places (K, 2), joined in their order if wanted."""
    with picture(path, width_in=4.4, height_in=3.9) as figure:
        axes = figure.subplots()
        x, y = points.places[points.shown].T
        axes.scatter(x, y, s=points.dot_size, color=_PALE, **_DOTS)
        points.frame(axes)
        if joined:
            axes.plot(*marks.T, color=QUIET, linewidth=1)
        _mark(axes, marks)


def draw_labels(
    path: Path, points: Points, labels: NDArray[np.int64], marks: NDArray[np.floating] | None = None
) -> None:
    """Draw points in the colors of their labels (N,), with the number of each at its place."""
    n_labels = int(labels.max()) + 1
    sizes = np.bincount(labels, minlength=n_labels)
    shades = np.array([label_color(label, n_labels) for label in range(n_labels)])
    with picture(path, width_in=5.4, height_in=3.9) as figure:
        axes = figure.subplots()
        x, y = points.places[points.shown].T
        axes.scatter(x, y, s=points.dot_size, c=shades[labels[points.shown]], alpha=0.8, **_DOTS)
        points.frame(axes)
        if marks is not None:
            for label, (place_x, place_y) in enumerate(marks):
                axes.text(place_x, place_y, str(label), ha="center", va="center", fontsize=8,
                          path_effects=[withStroke(linewidth=2.5, foreground="white")],
                          clip_on=True)  # fmt: skip
        if n_labels <= _MAX_IN_LEGEND:
            for label, size in enumerate(sizes):
                axes.scatter([], [], s=16, color=shades[label], label=f"{label} ({size:,})")
            figure.legend(loc="outside right center", fontsize=8, title="cluster (size)",
                          ncols=-(-n_labels // _LEGEND_ROWS), handletextpad=0.1,
                          columnspacing=0.8)  # fmt: skip


def draw_panels(path: Path, points: Points, labels: NDArray[np.int64]) -> None:
    """Draw each of the labels (B,) in a panel of its own, before all points in gray."""
    n_labels = int(labels.max()) + 1
    width = min(n_labels, _PANELS_IN_ROW)
    height = -(-n_labels // width)
    rows, size = points.shown, 0.5 * points.dot_size
    with picture(path, width_in=1.9 * width + 0.4, height_in=1.9 * height + 0.3) as figure:
        grid = figure.subplots(height, width, squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[n_labels:]:
            axes.set_axis_off()
        for label, axes in enumerate(grid.flat[:n_labels]):
            own = rows[labels[rows] == label]
            axes.scatter(*points.places[rows].T, s=size, color=_PALE, **_DOTS)
            axes.scatter(*points.places[own].T, s=size, color=label_color(label, n_labels),
                         **_DOTS)  # fmt: skip
            axes.set_title(f"{label} ({(labels == label).sum():,})", loc="left", fontsize=9)
            points.frame(axes)
            axes.set(xticks=[], yticks=[], xlabel="", ylabel="")
        figure.supxlabel(points.names[0], fontsize=9)
        figure.supylabel(points.names[1], fontsize=9)


def draw_distribution(path: Path, counts: NDArray[np.int64], tomograms: Sequence[str]) -> None:
    """Draw how many members (K, T) of each cluster each tomogram has."""
    n_labels, n_tomograms = counts.shape
    shown = min(n_tomograms, _MAX_TOMOGRAMS_NAMED)
    size = (1.6 + 0.26 * max(shown, 6), 1.8 + 0.22 * max(n_labels, 4))
    with picture(path, width_in=size[0], height_in=size[1]) as figure:
        axes = figure.subplots()
        image = axes.imshow(counts, cmap="Blues", vmin=0, aspect="auto", interpolation="none")
        bar = figure.colorbar(image, ax=axes, pad=0.02, label="particles",
                              ticks=MaxNLocator(6, integer=True))  # fmt: skip
        bar.outline.set_visible(False)
        axes.set_yticks(range(n_labels))
        if n_tomograms <= shown:
            names = [name or "unnamed" for name in tomograms]
            axes.set_xticks(range(n_tomograms), names, rotation=60, ha="right",
                            rotation_mode="anchor", fontsize=7)  # fmt: skip
        axes.set(xlabel="tomogram", ylabel="cluster")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)


def draw_control(path: Path, points: Points, values: NDArray[np.floating], name: str) -> None:
    """Draw both axes of a map against a quantity (N,), and the map in its colors."""
    rows = points.shown
    x_low, x_high, y_low, y_high = points.limits
    with picture(path, width_in=9.0, height_in=2.9) as figure:
        first, second, third = figure.subplots(1, 3)
        for axis, axes, limits in ((0, first, (x_low, x_high)), (1, second, (y_low, y_high))):
            places = points.places[rows, axis]
            axes.scatter(places, values[rows], s=0.6 * points.dot_size, color=color_of(axis),
                         alpha=0.5, **_DOTS)  # fmt: skip
            axes.set(xlabel=points.names[axis], ylabel=name, xlim=limits)
            if _are_whole(values):
                axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        _colored(figure, third, points, values, name)


def draw_histogram(
    path: Path, values: NDArray[np.floating], name: str, marks: NDArray[np.floating] | None = None
) -> None:
    """Draw how values (N,) are distributed, with numbered values (K,) where they are given."""
    with picture(path, width_in=4.6, height_in=3.0) as figure:
        axes = figure.subplots()
        axes.hist(values, bins=int(np.clip(2 * np.sqrt(len(values)), 10, 60)), color=color_of(0))
        axes.set(xlabel=name, ylabel="particles")
        for number, value in enumerate([] if marks is None else marks):
            axes.axvline(value, color=QUIET, linewidth=0.8)
            axes.annotate(str(number), (value, 1.01), xycoords=("data", "axes fraction"),
                          ha="center", fontsize=8)  # fmt: skip


def draw_way(
    path: Path, points: Points, edges: NDArray[np.int64], way: NDArray[np.int64] | None = None
) -> None:
    """Draw a graph, edges (E, 2) between points, and a way (n,) from point to point through it."""
    from matplotlib.collections import LineCollection

    with picture(path, width_in=4.6, height_in=4.0) as figure:
        axes = figure.subplots()
        lines = LineCollection(list(points.places[edges]), colors=_PALE, linewidths=0.3,
                               rasterized=True)  # fmt: skip
        axes.add_collection(lines)
        x, y = points.places[points.shown].T
        axes.scatter(x, y, s=0.4 * points.dot_size, color=QUIET, zorder=2, **_DOTS)
        points.frame(axes)
        if way is not None:
            steps = points.places[way]
            axes.plot(*steps.T, color=color_of(4), linewidth=1.2, zorder=3)
            axes.scatter(steps[:, 0], steps[:, 1], s=12, color=color_of(4), zorder=4, linewidths=0)
            for name, place in (("start", steps[0]), ("end", steps[-1])):
                text = axes.annotate(name, place, xytext=(4, 4), textcoords="offset points")
                text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])


def _colored(
    figure: Figure, axes: Axes, points: Points, values: NDArray[np.floating], name: str
) -> None:
    """Points in the colors of values; the outermost values share a color."""
    rows = points.shown
    x, y = points.places[rows].T
    low, high = np.percentile(values, (1, 99))
    if low == high:
        low, high = float(values.min()), float(values.max())
    dots = axes.scatter(x, y, c=values[rows], s=points.dot_size, cmap="viridis", vmin=low,
                        vmax=high, alpha=0.8, **_DOTS)  # fmt: skip
    ticks = MaxNLocator(integer=True) if _are_whole(values) else None
    bar = figure.colorbar(dots, ax=axes, pad=0.02, label=name, ticks=ticks)
    if bar.solids is not None:
        bar.solids.set_alpha(1)
    bar.outline.set_visible(False)
    points.frame(axes)


def _are_whole(values: NDArray[np.floating]) -> bool:
    """Whether values are counts, which have no ticks between them."""
    return bool((values == np.round(values)).all())


def _mark(axes: Axes, marks: NDArray[np.floating]) -> None:
    """Number places (K, 2) from 0."""
    shades = [label_color(number, len(marks)) for number in range(len(marks))]
    axes.scatter(
        marks[:, 0], marks[:, 1], s=90, c=shades, edgecolors="white", linewidths=0.8, zorder=3
    )
    for number, (x, y) in enumerate(marks):
        text = axes.text(x, y, str(number), ha="center", va="center", fontsize=7, color="white",
                         zorder=4, clip_on=True)  # fmt: skip
        text.set_path_effects([withStroke(linewidth=1, foreground="#444444")])


def _say_how_many(axes: Axes, points: Points) -> None:
    """Say that not all points are drawn."""
    if len(points.places) > len(points.shown):
        text = f"{len(points.shown):,} of {len(points.places):,} {points.things}, at random"
        axes.set_title(text, loc="left", fontsize=8)
