"""Pictures of weighting schemes and of training; how latents and volumes are best looked at.

Arrays in, a PNG file out. Doses are in e/A^2, tilts in degrees, frequencies in 1/A.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm

from tomodrgn.core.analysis.weighting import relative_weights
from tomodrgn.core.figures.style import color_of, picture, show_epochs, show_frequencies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

_MAX_TILTS_NAMED: Final = 14
_MAX_EPOCHS_MARKED: Final = 60
_LOSSES: Final = {
    "generative": "reconstruction loss",
    "divergence": "KL divergence (nat)",
    "total": "total loss",
}


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
    colors = colormaps["coolwarm_r"].resampled(max(n_tilts, 2))
    order = BoundaryNorm(np.arange(n_tilts + 1) - 0.5, colors.N)
    with picture(path, width_in=6.4, height_in=3.8) as figure:
        axes = figure.subplots()
        shares = relative_weights(weights)
        shades = colors(order(np.arange(n_tilts)))
        axes.stackplot(freqs_per_a, shares, colors=shades, edgecolor="white", linewidth=0.25)
        axes.set(ylim=(0, 1), ylabel="relative weight of each tilt")
        show_frequencies(axes, float(freqs_per_a[0]), float(freqs_per_a[-1]))
        axes.set_title(_scheme_title(n_tilts, n_particles), loc="left")
        named = np.arange(0, n_tilts, -(-n_tilts // _MAX_TILTS_NAMED))
        bar = figure.colorbar(ScalarMappable(order, colors), ax=axes, ticks=named, pad=0.03)
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
    marker = "o" if len(metrics) <= _MAX_EPOCHS_MARKED else None
    with picture(path, width_in=3.3 * len(panels) + 0.4, height_in=2.8) as figure:
        axes_row = figure.subplots(1, len(panels), squeeze=False)[0]
        for place, (axes, (column, name)) in enumerate(zip(axes_row, panels.items(), strict=True)):
            epochs = metrics["epoch"]
            axes.plot(epochs, metrics[column], color=color_of(place), marker=marker, markersize=3)
            axes.set_title(name, loc="left")
            axes.set_xlim(-0.5, epochs.max() + 0.5)
            show_epochs(axes)
            axes.ticklabel_format(axis="y", useOffset=False)


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
