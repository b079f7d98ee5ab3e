"""Pictures of a validation: maps of classes from raw images, their agreement, and chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.figures.style import QUIET, color_of, picture, show_frequencies
from tomodrgn.core.figures.training import most_telling_axis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from tomodrgn.plugins.commands.validate.chance import Separation

_PLANES: Final = ("xy", "xz", "yz")  # across z, y, x
_IN_A_ROW: Final = 10
_LARGE_Z: Final = 3.0
_MAX_NUMBERS: Final = 12
_MANY: Final = 12


def draw_class_maps(
    path: Path, names: Sequence[str], rows: Mapping[str, Sequence[NDArray[np.float32]]]
) -> None:
    """Draw central slices of the maps of K classes, one column each, each row on one gray scale.

    Args:
        path: PNG file.
        names: of the K classes.
        rows: K maps (D, D, D) by what they are, such as from raw images and decoded.
    """
    first = next(iter(rows.values()))
    axis = most_telling_axis(first)
    middle = len(first[0]) // 2
    bands = range(0, len(names), _IN_A_ROW)
    width = min(len(names), _IN_A_ROW)
    n_rows = len(bands) * len(rows)
    size = (0.6 + 1.25 * max(width, 3), 0.5 + 1.3 * n_rows)
    with picture(path, width_in=size[0], height_in=size[1]) as figure:
        figure.suptitle(f"central {_PLANES[axis]} slices, each row on one gray scale", fontsize=10)
        grid = figure.subplots(n_rows, width, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for place, (what, maps) in enumerate(rows.items()):
            slices = [np.take(each, middle, axis) for each in maps]
            low, high = np.percentile(np.stack(slices), (0.5, 99.7))
            for column, (name, image) in enumerate(zip(names, slices, strict=True)):
                line = grid[column // _IN_A_ROW * len(rows) + place]
                axes = line[column % _IN_A_ROW]
                _show(axes, image, low, high, color_of(column))
                if place == 0:
                    axes.set_title(f"class {name}", color=color_of(column), fontsize=9, pad=4)
                if column % _IN_A_ROW == 0:
                    axes.set_ylabel(what)


def _show(axes: Axes, image: NDArray[np.float32], low: float, high: float, edge: str) -> None:
    axes.set_axis_on()
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, origin="lower", interpolation="bicubic")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=edge, linewidth=1.6)


def draw_class_fsc(
    path: Path,
    panels: Mapping[str, Mapping[str, NDArray[np.float64]]],
    *,
    pixel_size_a: float,
    threshold: float,
) -> None:
    """Draw Fourier shell correlations of classes, one panel for each kind.

    Args:
        path: PNG file.
        panels: curves (D/2 + 1,) by class, by what they compare.
        pixel_size_a: of the maps.
        threshold: height of the guiding line.
    """
    n_curves = max(len(curves) for curves in panels.values())
    with picture(path, width_in=4.0 * len(panels) + 0.9, height_in=3.3) as figure:
        row = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
        for axes, (what, curves) in zip(row, panels.items(), strict=True):
            axes.set_title(what, loc="left")
            for place, (name, curve) in enumerate(curves.items()):
                freqs = np.arange(len(curve)) / (2 * (len(curve) - 1) * pixel_size_a)
                style = "-" if place < len(curves) - 1 or name != "all" else (0, (1, 1))
                shade = "#333333" if name == "all" else color_of(place)
                axes.plot(freqs[1:], curve[1:], color=shade, linestyle=style, label=name)
            axes.axhline(0, color=QUIET, linewidth=0.6)
            axes.axhline(threshold, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
            axes.annotate(
                f"{threshold:g}", (1, threshold), xycoords=("axes fraction", "data"),
                xytext=(-2, 2), textcoords="offset points", ha="right", color=QUIET, fontsize=8,
            )  # fmt: skip
            lowest = min(0.0, *(float(curve[1:].min()) for curve in curves.values()))
            axes.set(ylim=(lowest - 0.03, 1.03))
            show_frequencies(axes, 0.0, float(freqs[-1]))
        row[0].set_ylabel("Fourier shell correlation")
        handles, names = row[0].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="outside right center", fontsize=8, title="class",
            ncols=1 + n_curves // _MANY,
        )  # fmt: skip


def draw_separation(path: Path, names: Sequence[str], found: Separation) -> None:
    """Draw how far classes, and pairs of classes, are from labels drawn by lot.

    Args:
        path: PNG file.
        names: of the K classes that were compared.
        found: the comparison.
    """
    n = len(names)
    edge = max(2.6, 0.26 * n + 1.0)
    with picture(path, width_in=2 * edge + 1.6, height_in=edge + 0.6) as figure:
        bars, matrix = figure.subplots(1, 2, width_ratios=(1, 1.15))
        bars.barh(
            range(n), found.class_z, color=[color_of(place) for place in range(n)], height=0.7
        )
        bars.axvspan(-_LARGE_Z, _LARGE_Z, color="#eeeeee", zorder=0)
        bars.axvline(0, color=QUIET, linewidth=0.8)
        bars.set_yticks(range(n), [f"class {name}" for name in names])
        reach = max(1.5 * _LARGE_Z, 1.08 * float(np.abs(found.class_z).max()))
        bars.set(xlim=(min(-_LARGE_Z, 1.1 * found.class_z.min()), reach))
        bars.set(xlabel="z against permuted labels")
        bars.invert_yaxis()
        bars.set_title("each class (gray: chance)", loc="left")
        _draw_pairs(matrix, names, found.pair_z)


def _draw_pairs(axes: Any, names: Sequence[str], z: NDArray[np.float64]) -> None:
    """Matrix of pairs of classes, the brighter the better they are told apart."""
    n = len(names)
    shown = np.where(np.eye(n, dtype=bool), np.nan, z)
    top = max(2 * _LARGE_Z, float(np.nanmax(shown)) if n > 1 else 0.0)
    image = axes.imshow(shown, cmap="viridis", vmin=0, vmax=top)
    axes.set_xticks(range(n), names)
    axes.set_yticks(range(n), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("pairs of classes (z)", loc="left")
    if n <= _MAX_NUMBERS:
        for a in range(n):
            for b in range(n):
                if a != b:
                    shade = "white" if z[a, b] < 0.6 * top else "#222222"
                    axes.text(b, a, f"{z[a, b]:.1f}", ha="center", va="center", fontsize=8,
                              color=shade)  # fmt: skip
    else:
        axes.figure.colorbar(image, ax=axes, shrink=0.8, pad=0.03)
