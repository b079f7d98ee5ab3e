"""Pictures of how volumes settle: agreement of epochs, of groups, and with known maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from tomodrgn.core.figures.style import QUIET, line_of, picture, show_epochs, show_frequencies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_COLUMNS: Final = 4
_LARGEST_WITH_NUMBERS: Final = 12
_DARK: Final = 0.6


def value_by_epoch(
    path: Path,
    epochs: Sequence[int],
    values: NDArray[np.float64],
    labels: Sequence[str],
    title: str,
) -> None:
    """Draw a number of each group against the later of the two epochs that it compares.

    Args:
        path: the picture.
        epochs: the E later epochs.
        values: (L, E).
        labels: of the L groups.
        title: what the number is.
    """
    with picture(path, width_in=5.0, height_in=3.1) as figure:
        axes = figure.subplots()
        for index, (series, label) in enumerate(zip(values, labels, strict=True)):
            axes.plot(epochs, series, **line_of(index), marker="o", markersize=3, label=label)
        axes.set_title(title, loc="left")
        show_epochs(axes)
        axes.set_xlabel("epoch (compared with the one shown before)")
        axes.set_ylim(top=1.01)
        figure.legend(loc="outside right upper", fontsize=8, title="group", title_fontsize=8)


def fsc_by_epoch(
    path: Path,
    epochs: Sequence[int],
    curves: NDArray[np.float64],
    labels: Sequence[str],
    freqs_per_a: NDArray[np.float64],
) -> None:
    """Draw the Fourier shell correlation of successive epochs, a panel per group.

    Args:
        path: the picture.
        epochs: the E later epochs.
        curves: (L, E, F).
        labels: of the L groups.
        freqs_per_a: (F,).
    """
    n_columns = min(_COLUMNS, len(labels))
    n_rows = -(-len(labels) // n_columns)
    shades, order = colormaps["cividis"], Normalize(epochs[0], max(epochs[-1], epochs[0] + 1))
    with picture(path, width_in=2.3 * n_columns + 0.9, height_in=1.9 * n_rows + 0.6) as figure:
        grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True).ravel()
        for axes, label, group in zip(grid, labels, curves, strict=False):
            for epoch, curve in zip(epochs, group, strict=True):
                axes.plot(freqs_per_a[1:], curve[1:], color=shades(order(epoch)), linewidth=1.1)
            axes.axhline(0.5, color=QUIET, linewidth=0.6, linestyle=(0, (4, 3)))
            axes.set_title(f"group {label}", loc="left", fontsize=9)
            show_frequencies(axes, 0.0, float(freqs_per_a[-1]))
            axes.tick_params(labelsize=7)
            axes.set_xlabel("")
            axes.set_ylim(min(0.0, float(curves[..., 1:].min())), 1.02)
        for axes in grid[len(labels) :]:
            axes.set_axis_off()
        figure.supxlabel("spatial frequency (1/Å)", fontsize=9)
        figure.supylabel("FSC with the epoch before", fontsize=9)
        whole = MaxNLocator(integer=True)
        bar = figure.colorbar(ScalarMappable(order, shades), ax=list(grid), pad=0.02, ticks=whole)
        bar.set_label("epoch")
        bar.outline.set_visible(False)


def correlation_matrix(
    path: Path,
    values: NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    *,
    lowest: float,
) -> None:
    """Draw a table of correlations (R, C), with its numbers where there is room.

    Args:
        path: the picture.
        values: correlations.
        rows: their names.
        columns: their names.
        title: of the picture.
        lowest: end of the scale of colors, the same for tables that are compared.
    """
    edge = 0.42
    size = {"width_in": edge * len(columns) + 2.4, "height_in": edge * len(rows) + 1.3}
    with picture(path, **size) as figure:
        axes = figure.subplots()
        low = min(lowest, 1 - 1e-3)
        image = axes.imshow(values, cmap="cividis", vmin=low, vmax=1)
        axes.set_xticks(range(len(columns)), columns)
        axes.set_yticks(range(len(rows)), rows)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_title(title, loc="left")
        if max(values.shape) <= _LARGEST_WITH_NUMBERS:
            _write_numbers(axes, values, low)
        bar = figure.colorbar(image, ax=axes, shrink=0.9)
        bar.set_label("correlation")
        bar.outline.set_visible(False)


def _write_numbers(axes: Axes, values: NDArray[np.float64], low: float) -> None:
    for (row, column), value in np.ndenumerate(values):
        is_light = value - low > _DARK * (1 - low)
        axes.text(
            column, row, f"{value:.2f}".removeprefix("0"), ha="center", va="center", fontsize=7,
            color="black" if is_light else "white",
        )  # fmt: skip
