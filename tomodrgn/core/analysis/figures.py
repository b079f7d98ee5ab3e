"""Pictures of weighting schemes, of training, and of what was recovered from simulated data.

Arrays in, a PNG file out. Doses are in e/A^2, tilts in degrees, frequencies in 1/A.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm

from tomodrgn.core.analysis.style import QUIET, colour, picture, show_epochs, show_frequencies
from tomodrgn.core.analysis.weighting import relative_weights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure
    from numpy.typing import NDArray

_MOST_TILTS_NAMED: Final = 14
_MOST_EPOCHS_MARKED: Final = 60
_LOSSES: Final = {
    "generative": "reconstruction loss",
    "divergence": "KL divergence (nat)",
    "total": "total loss",
}
_PLANES: Final = ("xy", "xz", "yz")  # across z, y, x
_CLOSE_MATCH: Final = 0.5  # FSC of a map with its truth: half the amplitude agrees


def weighting_scheme(
    path: Path,
    freqs_per_a: NDArray[np.float64],
    weights: NDArray[np.float32],
    dose_e_per_a2: NDArray[np.float32],
    tilt_deg: NDArray[np.float32],
    *,
    n_particles: int | None = None,
) -> None:
    """Draw the share of each tilt in the loss, stacked, against spatial frequency.

    Args:
        path: PNG file.
        freqs_per_a: (F,) ascending.
        weights: (T, F) loss weights; they are divided by their sum at each frequency.
        dose_e_per_a2: (T,) ascending.
        tilt_deg: (T,).
        n_particles: how many particles have these weights; named in the title.
    """
    n_tilts = len(weights)
    colours = colormaps["coolwarm_r"].resampled(max(n_tilts, 2))
    order = BoundaryNorm(np.arange(n_tilts + 1) - 0.5, colours.N)
    with picture(path, width_in=6.4, height_in=3.8) as figure:
        axes = figure.subplots()
        shares = relative_weights(weights)
        shades = colours(order(np.arange(n_tilts)))
        axes.stackplot(freqs_per_a, shares, colors=shades, edgecolor="white", linewidth=0.25)
        axes.set(ylim=(0, 1), ylabel="relative weight of each tilt")
        show_frequencies(axes, float(freqs_per_a[0]), float(freqs_per_a[-1]))
        axes.set_title(_scheme_title(n_tilts, n_particles), loc="left")
        named = np.arange(0, n_tilts, -(-n_tilts // _MOST_TILTS_NAMED))
        bar = figure.colorbar(ScalarMappable(order, colours), ax=axes, ticks=named, pad=0.03)
        names = [f"{dose_e_per_a2[i]:.4g} e⁻/Å², {tilt_deg[i]:.0f}°" for i in named]
        bar.ax.set_yticklabels(names)
        bar.ax.tick_params(length=0, which="both")
        bar.ax.set_title("dose, tilt", fontsize=9, loc="left")
        bar.outline.set_visible(False)


def training_curves(path: Path, metrics: pd.DataFrame) -> None:
    """Draw the losses of a run against the epoch, counted from 0 as in the names of files.

    Args:
        path: PNG file.
        metrics: a row per epoch, ascending, with columns ``epoch`` (from 0), ``generative``,
            ``divergence`` and ``total``.
    """
    has_latents = bool(metrics["divergence"].any())
    panels = _LOSSES if has_latents else {"total": "loss"}
    marker = "o" if len(metrics) <= _MOST_EPOCHS_MARKED else None
    with picture(path, width_in=3.3 * len(panels) + 0.4, height_in=2.8) as figure:
        axes_row = figure.subplots(1, len(panels), squeeze=False)[0]
        for place, (axes, (column, name)) in enumerate(zip(axes_row, panels.items(), strict=True)):
            epochs = metrics["epoch"]
            axes.plot(epochs, metrics[column], color=colour(place), marker=marker, markersize=3)
            axes.set_title(name, loc="left")
            axes.set_xlim(-0.5, epochs.max() + 0.5)
            show_epochs(axes)
            axes.ticklabel_format(axis="y", useOffset=False)


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
    """Draw latents in the colours of the true classes, and decoded beside true maps.

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


def main_axes(mean: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(B, K) latents on their main axes, and the (K,) share of the variance on each."""
    centred = mean.astype(np.float64) - mean.mean(0)
    variances, directions = np.linalg.eigh(centred.T @ centred)
    total = max(float(variances.sum()), np.finfo(np.float64).tiny)
    return centred @ directions[:, ::-1], variances[::-1] / total


def _scheme_title(n_tilts: int, n_particles: int | None) -> str:
    """How many tilts, of how many particles."""
    tilts = f"{n_tilts} tilt{'s'[: n_tilts != 1]}"
    if n_particles is None:
        return tilts
    return f"{tilts} of {n_particles} particle{'s'[: n_particles != 1]}"


def _draw_latents(figure: SubFigure, mean: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    """Latents on their two main axes, or a histogram of latents that have one."""
    axes = figure.subplots()
    axes.set_title("latents, coloured by true class", loc="left")
    places, shares = main_axes(mean)
    classes, sizes = np.unique(labels, return_counts=True)
    if len(shares) == 1:
        split = [places[labels == label, 0] for label in classes]
        axes.hist(split, bins=40, stacked=True, color=[colour(label) for label in classes])
        axes.set(xlabel="latent", ylabel="particles")
    else:
        shuffled = np.random.default_rng(0).permutation(len(mean))  # so that no class lies on top
        x, y = places[shuffled, :2].T
        size = float(np.clip(6000 / len(mean), 1, 14))
        colours = [colour(label) for label in labels[shuffled]]
        axes.scatter(x, y, s=size, c=colours, alpha=0.85, linewidths=0, rasterized=True)
        first, second = (f"PC {i + 1} ({shares[i]:.0%} of variance)" for i in range(2))
        axes.set(xlabel=first, ylabel=second)
        axes.margins(0.08)
    for label, size in zip(classes, sizes, strict=True):
        axes.scatter([], [], s=16, color=colour(label), label=f"class {label} ({size})")
    legend = {"ncols": 3, "fontsize": 8, "columnspacing": 0.8, "handletextpad": 0.1}
    figure.legend(loc="outside lower center", **legend)


def most_telling_axis(volumes: Sequence[NDArray[np.float32]]) -> int:
    """Axis across which the central slices of volumes differ most; of one, the one with most in it.

    Args:
        volumes: (D, D, D) each, [z, y, x].

    Returns:
        0, 1 or 2 for slices across z, y or x.
    """
    middle = len(volumes[0]) // 2
    slices = [np.stack([np.take(v, middle, axis) for v in volumes]) for axis in range(3)]
    if len(volumes) == 1:
        return int(np.argmax([each.var() for each in slices]))
    return int(np.argmax([each.var(0).sum() for each in slices]))


def _draw_slices(figure: SubFigure, maps: Sequence[RecoveredMap]) -> None:
    """Central slices, one column per class, decoded above true, all on one grey scale."""
    middle = len(maps[0].true) // 2
    axis = most_telling_axis([each.true for each in maps])
    rows = {
        "decoded": [np.take(each.decoded, middle, axis) for each in maps],
        "true": [np.take(each.true, middle, axis) for each in maps],
    }
    low, high = np.percentile(rows["true"], (1, 99))
    figure.suptitle(f"central {_PLANES[axis]} slices on one grey scale", fontsize=10)
    grid = figure.subplots(2, len(maps), squeeze=False)
    for (name, slices), row in zip(rows.items(), grid, strict=True):
        row[0].set_ylabel(name)
        for axes, each, image in zip(row, maps, slices, strict=True):
            axes.imshow(
                image, cmap="gray", vmin=low, vmax=high, origin="lower", interpolation="bicubic"
            )
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(visible=True, color=colour(each.label), linewidth=2)
    for axes, each in zip(grid[0], maps, strict=True):
        axes.set_title(f"class {each.label}", color=colour(each.label), fontsize=9, pad=4)


def _draw_fsc(figure: SubFigure, maps: Sequence[RecoveredMap], pixel_size_a: float) -> None:
    """One curve per class from the first shell to Nyquist."""
    axes: Axes = figure.subplots()
    axes.set_title("FSC of decoded with true map", loc="left")
    box = len(maps[0].true)
    freqs_per_a = np.arange(box // 2 + 1) / (box * pixel_size_a)
    for each in maps:
        name = f"class {each.label}, mean {each.fsc[1:-1].mean():.3f}"
        axes.plot(freqs_per_a[1:], each.fsc[1:], color=colour(each.label), label=name)
    axes.axhline(_CLOSE_MATCH, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
    lowest = min(0.0, *(float(each.fsc[1:].min()) for each in maps))
    axes.set(ylim=(lowest, 1.03), ylabel="Fourier shell correlation")
    show_frequencies(axes, 0.0, float(freqs_per_a[-1]))
    axes.legend(loc="lower left", fontsize=8)
