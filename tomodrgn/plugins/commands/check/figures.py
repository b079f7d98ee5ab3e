"""Pictures of a check: the maps that a sample gives, and how the tilt series were acquired.

Arrays in, a PNG file out. Doses are in e/A^2, tilts in degrees, frequencies in 1/A.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.figures.style import QUIET, color_of, picture, show_frequencies

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_PLANES: Final = ("xy", "xz", "yz")  # across z, y, x
_HALF_MAPS_AGREE: Final = 0.143  # Rosenthal & Henderson 2003
_MOST_DOTS: Final = 5000


def draw_maps(
    path: Path,
    maps: Mapping[str, NDArray[np.float32]],
    agreement: Mapping[str, NDArray[np.float64]],
    pixel_size_a: float,
) -> None:
    """Draw central slices of maps, a row each, beside the agreement of their halves.

    Args:
        path: PNG file.
        maps: (D, D, D) by name.
        agreement: (D/2 + 1,) Fourier shell correlation of half maps, by name.
        pixel_size_a: pixel size of the maps.
    """
    with picture(path, width_in=8.4, height_in=0.6 + 1.9 * max(len(maps), 1.2)) as figure:
        left, right = figure.subfigures(1, 2, width_ratios=(1.5, 1), squeeze=False)[0]
        grid = left.subplots(len(maps), len(_PLANES), squeeze=False)
        for row, (name, volume) in zip(grid, maps.items(), strict=True):
            _draw_slices(row, name, volume)
        axes = right.subplots()
        box = len(next(iter(maps.values())))
        freqs_per_a = np.arange(box // 2 + 1) / (box * pixel_size_a)
        for place, (name, curve) in enumerate(agreement.items()):
            axes.plot(freqs_per_a[1:], curve[1:], color=color_of(place), label=name)
        axes.axhline(_HALF_MAPS_AGREE, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.set(ylim=(min(0.0, *(curve[1:].min() for curve in agreement.values())), 1.03))
        axes.set_title("Fourier shell correlation of half maps", loc="left")
        show_frequencies(axes, 0.0, float(freqs_per_a[-1]))
        axes.legend(loc="lower left", fontsize=8)


def draw_acquisition(
    path: Path, tilt_deg: NDArray[np.float32], dose_e_per_a2: NDArray[np.float32]
) -> None:
    """Draw how often each tilt was imaged, and at which dose.

    Args:
        path: PNG file.
        tilt_deg: (M,).
        dose_e_per_a2: (M,).
    """
    with picture(path, width_in=6.6, height_in=2.8) as figure:
        counts, doses = figure.subplots(1, 2)
        reach = max(float(np.abs(tilt_deg).max()), 1.0)
        edges = np.arange(np.floor(tilt_deg.min()) - 0.5, reach + 1.5)
        counts.hist(tilt_deg, bins=edges, color=color_of(0))
        counts.set(xlabel="tilt (degrees)", ylabel="images")
        counts.set_title("tilts", loc="left")
        shown = np.unique(np.linspace(0, len(tilt_deg) - 1, _MOST_DOTS).astype(np.int64))
        doses.scatter(
            tilt_deg[shown], dose_e_per_a2[shown], s=6, color=color_of(1), alpha=0.5, linewidths=0
        )
        doses.set(xlabel="tilt (degrees)", ylabel="dose (e⁻/Å²)")
        doses.set_title("dose", loc="left")


def _draw_slices(row: Any, name: str, volume: NDArray[np.float32]) -> None:
    """Central slices across z, y and x on one gray scale."""
    middle = len(volume) // 2
    low, high = np.percentile(volume, (0.5, 99.8))
    row[0].set_ylabel(name)
    for axis, (axes, plane) in enumerate(zip(row, _PLANES, strict=True)):
        image = np.take(volume, middle, axis)
        axes.imshow(
            image, cmap="gray", vmin=low, vmax=high, origin="lower", interpolation="bicubic"
        )
        axes.set(xticks=[], yticks=[])
        axes.set_title(plane, fontsize=9, pad=4)
