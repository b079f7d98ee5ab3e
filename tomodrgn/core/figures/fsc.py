"""Pictures of Fourier shell correlations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.figures.style import QUIET, color_of, picture, show_frequencies

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


def half_map_fsc(
    path: Path,
    curves: Mapping[str, NDArray[np.float64]],
    *,
    pixel_size_a: float,
    threshold: float,
) -> None:
    """Draw how far half maps agree, one curve per map, with the threshold of resolution.

    Args:
        path: the PNG file.
        curves: (D/2 + 1,) each, by what the legend says of it.
        pixel_size_a: of the maps.
        threshold: height of the guiding line.
    """
    n_shells = len(next(iter(curves.values())))
    freqs_per_a = np.arange(n_shells) / (2 * (n_shells - 1) * pixel_size_a)
    with picture(path, width_in=5.2, height_in=3.4) as figure:
        axes = figure.subplots()
        axes.set_title("FSC of half maps", loc="left")
        for index, (name, curve) in enumerate(curves.items()):
            axes.plot(freqs_per_a[1:], curve[1:], color=color_of(index), label=name)
        axes.axhline(0, color=QUIET, linewidth=0.6)
        axes.axhline(threshold, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.annotate(
            f"{threshold:g}", (1, threshold), xycoords=("axes fraction", "data"),
            xytext=(-2, 2), textcoords="offset points", ha="right", color=QUIET, fontsize=8,
        )  # fmt: skip
        lowest = min(0.0, *(float(curve[1:].min()) for curve in curves.values()))
        axes.set(ylim=(lowest - 0.03, 1.03), ylabel="Fourier shell correlation")
        show_frequencies(axes, 0.0, float(freqs_per_a[-1]))
        axes.legend(loc="lower left", fontsize=8)
