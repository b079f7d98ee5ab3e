"""Picture of what explains the latent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.figures.style import QUIET, color_of, picture

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tomodrgn.plugins.commands.confounds.page import Influence, NuisanceReport

_WARNING: Final = 4  # place in the palette
_SHADE_ENOUGH: Final = 0.6


def draw_nuisance(path: Path, report: NuisanceReport) -> None:
    """Draw what each covariate explains of each direction of the latent.

    Args:
        path: PNG file.
        report: at least one influence.
    """
    n_rows, n_directions = len(report.influences), len(report.shares)
    explained = np.stack([each.explained for each in report.influences])
    width = max(2.2, 0.8 + 0.42 * n_directions)
    with picture(path, width_in=4.8 + width, height_in=1.3 + 0.36 * n_rows) as figure:
        bars, matrix = figure.subplots(1, 2, width_ratios=(3.2, width))
        _draw_bars(bars, report.influences)
        matrix.imshow(explained, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for row in range(n_rows):
            for column in range(n_directions):
                value = explained[row, column]
                shade = "white" if value > _SHADE_ENOUGH else "#444444"
                matrix.text(column, row, f"{100 * value:.0f}", ha="center", va="center",
                            fontsize=8, color=shade)  # fmt: skip
        names = [f"{place + 1}" for place in range(n_directions)]
        matrix.set_xticks(range(n_directions), names)
        matrix.set_yticks([])
        matrix.tick_params(length=0)
        matrix.spines[:].set_visible(False)
        matrix.set_xlabel("latent direction (PC)")
        matrix.set_title("explained of each direction (%)", loc="left")


def _draw_bars(axes: Any, influences: tuple[Influence, ...]) -> None:
    """What each covariate explains of its best direction, beside chance."""
    places = np.arange(len(influences))
    best = np.array([100 * float(each.explained.max()) for each in influences])
    chance = np.array([100 * each.by_chance for each in influences])
    shades = [color_of(_WARNING) if each.is_worrying else "#b8c4ce" for each in influences]
    axes.barh(places, best, color=shades, height=0.62)
    axes.plot(chance, places, linestyle="", marker="|", markersize=13, color="#333333",
              label="what chance explains at most, 19 times in 20")  # fmt: skip
    axes.set_yticks(places, [each.name for each in influences])
    axes.set(xlim=(0, max(12.0, 1.12 * best.max(), 1.2 * chance.max())))
    axes.set_xlabel("explained of the best direction (%)")
    axes.axvline(0, color=QUIET, linewidth=0.8)
    axes.invert_yaxis()
    axes.figure.legend(loc="outside lower left", fontsize=8, handletextpad=0.2)
    axes.set_title("what explains the latent", loc="left")
