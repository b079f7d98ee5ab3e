"""Pictures of the epochs of a run of one structure against a known map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from tomodrgn.core.figures.style import QUIET, color_of, picture, show_epochs, show_frequencies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_THRESHOLDS: Final = (0.5, 0.143)
_MIN_SPREAD: Final = 0.02


def resolution_by_epoch(
    path: Path, epochs: Sequence[int], freqs_per_a: NDArray[np.float64], threshold: str
) -> None:
    """Draw the spatial frequency (E,) in 1/A at which each of E epochs falls below a threshold."""
    with picture(path, width_in=4.4, height_in=2.9) as figure:
        axes = _epoch_axes(figure, epochs, freqs_per_a)
        axes.set_title(f"resolution at FSC {threshold} with the known map", loc="left")
        low, high = axes.get_ylim()
        ticks = np.linspace(max(low, high / 20), high, 5)
        axes.set_yticks(ticks, [f"1/{1 / tick:.3g}" for tick in ticks])
        axes.set_ylabel("spatial frequency (1/Å)")


def integral_by_epoch(path: Path, epochs: Sequence[int], integrals: NDArray[np.float64]) -> None:
    """Draw the area (E,) under the curve of each of E epochs up to FSC 0.143."""
    with picture(path, width_in=4.4, height_in=2.9) as figure:
        axes = _epoch_axes(figure, epochs, integrals)
        axes.set_title("integral of the FSC up to 0.143", loc="left")
        axes.set_ylabel("integral (cycles/px)")


def curves_by_epoch(
    path: Path, curves: Mapping[int, NDArray[np.float64]], freqs_per_a: NDArray[np.float64]
) -> None:
    """Draw the Fourier shell correlation of each epoch with the known map.

    Args:
        path: the picture.
        curves: (F,) by epoch.
        freqs_per_a: (F,).
    """
    epochs = list(curves)
    shades, order = colormaps["cividis"], Normalize(epochs[0], max(epochs[-1], epochs[0] + 1))
    with picture(path, width_in=5.4, height_in=3.2) as figure:
        axes = figure.subplots()
        for epoch, curve in curves.items():
            shade = shades(order(epoch)) if len(epochs) > 1 else color_of(0)
            axes.plot(freqs_per_a, curve, color=shade, linewidth=1.2)
        for threshold in _THRESHOLDS:
            axes.axhline(threshold, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
        lowest = min(0.0, *(float(curve.min()) for curve in curves.values()))
        axes.set(ylim=(lowest, 1.02), ylabel="Fourier shell correlation")
        show_frequencies(axes, float(freqs_per_a[0]), float(freqs_per_a[-1]))
        whose = f"epoch {epochs[-1]}" if len(epochs) == 1 else "every epoch"
        axes.set_title(f"FSC of {whose} with the known map", loc="left")
        if len(epochs) > 1:
            whole = MaxNLocator(integer=True)
            bar = figure.colorbar(ScalarMappable(order, shades), ax=axes, pad=0.03, ticks=whole)
            bar.set_label("epoch")
            bar.outline.set_visible(False)


def _epoch_axes(figure: Figure, epochs: Sequence[int], values: NDArray[np.float64]) -> Axes:
    """A line with a dot per epoch."""
    axes = figure.subplots()
    axes.plot(epochs, values, color=QUIET, linewidth=1.2)
    axes.scatter(epochs, values, s=14, color=color_of(4), zorder=3)
    show_epochs(axes)
    spread = max(float(np.ptp(values)), _MIN_SPREAD * float(np.abs(values).max()), 1e-9)
    axes.set_ylim(values.min() - 0.1 * spread, values.max() + 0.1 * spread)
    return axes
