"""The nuisance report in words, as a table and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.analysis.style import QUIET, colour, picture

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from tomodrgn.core.analysis.nuisance import Influence, NuisanceReport

_WARNING: Final = 4  # place in the palette
_SHADE_ENOUGH: Final = 0.6
_STRONG: Final = 0.25
_WEAK: Final = 0.01


def nuisance_page(report: NuisanceReport) -> str:
    """The report as Markdown."""
    lines = ["# Is the latent structure, or something else?", "", *nuisance_words(report), ""]
    lines += [
        "| covariate | of the whole latent | of its best direction | by chance | p | |",
        "| --- | --: | --: | --: | --: | --- |",
    ]
    lines += [_table_row(each) for each in report.influences]
    lines += [
        "",
        "Explained: part of the variance that the covariate foretells in particles not seen. By "
        "chance: what a shuffled",
        "covariate reaches once in 20 times. p: corrected for the number of covariates.",
        "",
    ]
    return "\n".join(lines)


def nuisance_words(report: NuisanceReport) -> list[str]:
    """The findings in plain sentences."""
    lines = [_sentence(each, report.shares) for each in report.worrying]
    if not lines:
        lines = [
            f"**Nothing stands out.** None of {len(report.influences)} covariates explains the "
            f"latent of {report.n_particles} particles better than chance."
        ]
        if any(each.p_value < 0.05 for each in report.influences):  # noqa: PLR2004  customary
            lines = [
                "**Nothing stands out.** Some covariates explain a little more than chance, but "
                "less than 5 % of any direction of the latent."
            ]
    mixed = [each.name for each in report.worrying if each.name in report.of_tomograms]
    if mixed:
        lines.append(
            f"Hardly different within a tomogram: {', '.join(mixed)}. What these seem to explain "
            "may be due to the tomogram, or to one another."
        )
    if report.constant:
        lines.append(f"The same in all particles: {', '.join(report.constant)}.")
    return lines


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
    shades = [colour(_WARNING) if each.is_worrying else "#b8c4ce" for each in influences]
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


def _sentence(each: Influence, shares: NDArray[np.float64]) -> str:
    part = float(each.explained.max())
    strength = "strongly" if part >= _STRONG else "somewhat"
    share = float(shares[each.strongest])
    weak = f" (which holds {share:.1%} of the variance)" if share < _WEAK else ""
    return (
        f"**{each.name}** {strength} explains the latent: {part:.0%} of direction "
        f"{each.strongest + 1}{weak}, {each.total:.0%} of the whole. States along that "
        "direction may be no structure; compare them among particles alike in it."
    )


def _table_row(each: Influence) -> str:
    mark = "**explains the latent**" if each.is_worrying else ""
    cells = [
        each.name,
        f"{each.total:.1%}",
        f"{float(each.explained.max()):.1%} (PC {each.strongest + 1})",
        f"{each.by_chance:.1%}",
        f"{each.p_value:.2g}",
        mark,
    ]
    return f"| {' | '.join(cells)} |"
