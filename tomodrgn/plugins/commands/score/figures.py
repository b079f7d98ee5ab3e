"""Picture of what was recovered from simulated data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.figures.style import QUIET, color_of, picture, show_frequencies
from tomodrgn.core.figures.training import main_axes, most_telling_axis

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure
    from numpy.typing import NDArray

_PLANES: Final = ("xy", "xz", "yz")  # across z, y, x
_CLOSE_MATCH: Final = 0.5  # FSC of a map with its truth: half the amplitude agrees


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredMap:
    """A class of a simulated set and the volume that shows it.

    Attributes:
        label: class, from 0.
        decoded: (D, D, D).
        true: (D, D, D).
        fsc: (D/2 + 1,) their Fourier shell correlation.
    """

    label: int
    decoded: NDArray[np.float32]
    true: NDArray[np.float32]
    fsc: NDArray[np.float64]


def recovery(
    path: Path,
    *,
    mean: NDArray[np.float32] | None,
    labels: NDArray[np.int64],
    maps: Sequence[RecoveredMap],
    pixel_size_a: float | None,
) -> None:
    """Draw latents in the colors of the true classes, and decoded beside true maps.

    What is not there is left out.

    Args:
        path: PNG file.
        mean: (B, Z) latents, or None.
        labels: (B,) true classes, from 0.
        maps: decoded and true maps, none where nothing is decoded yet.
        pixel_size_a: pixel size of the maps; None without maps.
    """
    widths = [3.4] * (mean is not None)
    if maps and pixel_size_a is not None:
        widths += [0.3 + 1.35 * max(2, len(maps)), 3.4]
    with picture(path, width_in=sum(widths), height_in=3.3) as figure:
        panels = list(figure.subfigures(1, len(widths), width_ratios=widths, squeeze=False)[0])
        if mean is not None:
            _draw_latents(panels.pop(0), mean, labels)
        if maps and pixel_size_a is not None:
            _draw_slices(panels.pop(0), maps)
            _draw_fsc(panels.pop(0), maps, pixel_size_a)


def _draw_latents(figure: SubFigure, mean: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    """Latents on their two main axes, or a histogram of latents that have one."""
    axes = figure.subplots()
    axes.set_title("latents, colored by true class", loc="left")
    places, shares = main_axes(mean)
    classes, sizes = np.unique(labels, return_counts=True)
    if len(shares) == 1:
        split = [places[labels == label, 0] for label in classes]
        axes.hist(split, bins=40, stacked=True, color=[color_of(label) for label in classes])
        axes.set(xlabel="latent", ylabel="particles")
    else:
        shuffled = np.random.default_rng(0).permutation(len(mean))  # so that no class lies on top
        x, y = places[shuffled, :2].T
        size = float(np.clip(6000 / len(mean), 1, 14))
        colors = [color_of(label) for label in labels[shuffled]]
        axes.scatter(x, y, s=size, c=colors, alpha=0.85, linewidths=0, rasterized=True)
        first, second = (f"PC {i + 1} ({shares[i]:.0%} of variance)" for i in range(2))
        axes.set(xlabel=first, ylabel=second)
        axes.margins(0.08)
    for label, size in zip(classes, sizes, strict=True):
        axes.scatter([], [], s=16, color=color_of(label), label=f"class {label} ({size})")
    legend = {"ncols": 3, "fontsize": 8, "columnspacing": 0.8, "handletextpad": 0.1}
    figure.legend(loc="outside lower center", **legend)


def _draw_slices(figure: SubFigure, maps: Sequence[RecoveredMap]) -> None:
    """Central slices, one column per class, decoded above true, all on one gray scale."""
    middle = len(maps[0].true) // 2
    axis = most_telling_axis([each.true for each in maps])
    rows = {
        "decoded": [np.take(each.decoded, middle, axis) for each in maps],
        "true": [np.take(each.true, middle, axis) for each in maps],
    }
    low, high = np.percentile(rows["true"], (1, 99))
    figure.suptitle(f"central {_PLANES[axis]} slices on one gray scale", fontsize=10)
    grid = figure.subplots(2, len(maps), squeeze=False)
    for (name, slices), row in zip(rows.items(), grid, strict=True):
        row[0].set_ylabel(name)
        for axes, each, image in zip(row, maps, slices, strict=True):
            axes.imshow(
                image, cmap="gray", vmin=low, vmax=high, origin="lower", interpolation="bicubic"
            )
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(visible=True, color=color_of(each.label), linewidth=2)
    for axes, each in zip(grid[0], maps, strict=True):
        axes.set_title(f"class {each.label}", color=color_of(each.label), fontsize=9, pad=4)


def _draw_fsc(figure: SubFigure, maps: Sequence[RecoveredMap], pixel_size_a: float) -> None:
    """One curve per class from the first shell to Nyquist."""
    axes: Axes = figure.subplots()
    axes.set_title("FSC of decoded with true map", loc="left")
    box = len(maps[0].true)
    freqs_per_a = np.arange(box // 2 + 1) / (box * pixel_size_a)
    for each in maps:
        name = f"class {each.label}, mean {each.fsc[1:-1].mean():.3f}"
        axes.plot(freqs_per_a[1:], each.fsc[1:], color=color_of(each.label), label=name)
    axes.axhline(_CLOSE_MATCH, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
    lowest = min(0.0, *(float(each.fsc[1:].min()) for each in maps))
    axes.set(ylim=(lowest, 1.03), ylabel="Fourier shell correlation")
    show_frequencies(axes, 0.0, float(freqs_per_a[-1]))
    axes.legend(loc="lower left", fontsize=8)
