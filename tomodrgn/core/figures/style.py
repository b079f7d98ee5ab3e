"""How pictures look: colors that the color-blind tell apart, sizes, and files that appear whole.

Figures are drawn through objects alone; nothing here touches the state of ``pyplot``, opens a
window or depends on the user's matplotlib settings.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tomodrgn.core.files.atomic import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.axes import Axes

# Source: Okabe & Ito 2008, Color Universal Design, without black; the faint yellow is darkened.
PALETTE: Final = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#d55e00",
    "#56b4e9",
    "#b8a800",
    "#666666",
)
"""Colors of classes and curves, taken in turn."""

QUIET: Final = "#999999"
"""Color of lines that only guide the eye."""

SETTINGS: Final[dict[str, Any]] = {
    "axes.edgecolor": "#333333",
    "axes.grid": False,
    "axes.labelcolor": "#333333",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "axes.titlepad": 8,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.constrained_layout.h_pad": 0.06,
    "font.size": 9,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "lines.linewidth": 1.6,
    "savefig.dpi": 160,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
}


@contextmanager
def picture(path: Path, *, width_in: float, height_in: float) -> Iterator[Figure]:
    """A figure to draw on; it becomes the file ``path`` when the block ends without an error.

    Args:
        path: the file, replaced where there is one; its ending says the format, such as png.
        width_in: width in inch.
        height_in: height in inch.
    """
    with style.context(["default", SETTINGS]):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        with atomic_path(path) as partial:
            figure.savefig(partial, format=path.suffix.removeprefix("."))


def color_of(label: int) -> str:
    """Color of a class or curve."""
    return PALETTE[label % len(PALETTE)]


def line_of(label: int) -> dict[str, Any]:
    """Color of a curve, and dashes where colors are taken for the second time."""
    return {"color": color_of(label), "linestyle": "-" if label < len(PALETTE) else (0, (3, 1.5))}


def show_frequencies(axes: Axes, lowest_per_a: float, highest_per_a: float) -> None:
    """Make the x axis one of spatial frequency, with ticks written as the resolution they mean."""
    ticks = highest_per_a * np.arange(1, 5) / 4
    axes.set_xlim(lowest_per_a, highest_per_a)
    axes.set_xticks(ticks, [f"1/{1 / tick:.3g}" for tick in ticks])
    axes.set_xlabel("spatial frequency (1/Å)")


def show_epochs(axes: Axes) -> None:
    """Make the x axis one of epochs, with ticks at whole numbers."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
