"""Picture of what held-out tilts say of the epochs of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomodrgn.core.figures.style import QUIET, color_of, picture, show_epochs

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes


def held_out(
    path: Path,
    table: pd.DataFrame,
    training_error: pd.Series[float],
    recommended: int,
) -> None:
    """Draw the error of held-out tilts by epoch beside that of training tilts, and the gain.

    Args:
        path: the picture.
        table: a row per checkpoint with the columns of ``held_out.jsonl``.
        training_error: reconstruction loss by epoch.
        recommended: epoch that is marked.
    """
    with picture(path, width_in=8.6, height_in=3.1) as figure:
        left, right = figure.subplots(1, 2)
        shown = training_error[training_error.index <= table["epoch"].max()]
        left.plot(shown.index, shown, color=color_of(0), label="training tilts")
        _dotted(left, table["epoch"], table["error"], color_of(4), "held-out tilts")
        left.axhline(
            table["consensus_error"].iloc[0], color=QUIET, linewidth=1, linestyle=(0, (4, 3)),
            label="held-out tilts, consensus map",
        )  # fmt: skip
        highest = max(float(table["error"].max()), float(table["consensus_error"].iloc[0]))
        lowest = min(float(shown.min()), float(table["error"].min()))
        margin = 0.06 * max(highest - lowest, 1e-9)
        left.set_ylim(lowest - margin, highest + margin)
        left.set(ylabel="weighted squared error per coefficient")
        left.set_title("error", loc="left")
        left.ticklabel_format(axis="y", useOffset=False)
        _gains(right, table)
        for axes in (left, right):
            axes.axvline(recommended, color=color_of(2), linewidth=1)
            show_epochs(axes)
        is_late = recommended > 0.6 * float(table["epoch"].max())
        left.annotate(
            f"epoch {recommended}", (recommended, 1), xycoords=("data", "axes fraction"),
            xytext=(-3 if is_late else 3, -2), textcoords="offset points", va="top", fontsize=8,
            ha="right" if is_late else "left", color=color_of(2),
        )  # fmt: skip
        left.legend(fontsize=8)


def _gains(axes: Axes, table: pd.DataFrame) -> None:
    """Gain on the consensus map and on latents of others, of the signal the map predicts."""
    signal = table["empty_error"] - table["consensus_error"]
    for index, (name, label) in enumerate(
        (("gain", "over the consensus map"), ("information", "over latents of other particles"))
    ):
        values, error = table[name] / signal, 2 * table[f"{name}_standard_error"] / signal
        shade = color_of((4, 1)[index])
        axes.fill_between(
            table["epoch"], values - error, values + error, color=shade, alpha=0.2, linewidth=0
        )
        _dotted(axes, table["epoch"], values, shade, label)
    axes.axhline(0, color=QUIET, linewidth=0.8)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
    axes.set_title("gain, as part of the signal (± 2 s.e.)", loc="left")
    axes.legend(fontsize=8)


def _dotted(
    axes: Axes, epochs: pd.Series[int], values: pd.Series[float], shade: str, label: str
) -> None:
    marker = "o" if len(epochs) <= 60 else None  # noqa: PLR2004  more would run together
    axes.plot(epochs, values, color=shade, marker=marker, markersize=3, label=label)
