"""What explains the latent: the findings, and the page that tells them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.quoting import markdown_row, markdown_text
from tomodrgn.core.report.shown import Shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

SURE: Final = 0.05
"""Largest corrected p value at which an influence is called real."""
WORTH_MENTIONING: Final = 0.05
"""Least explained part of a direction that is worth a warning."""
_STRONG: Final = 0.25
_WEAK: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """What one covariate explains.

    Attributes:
        name: of the covariate.
        explained: (Z,) part of the variance of each main direction of the latent, in particles not
            seen; 0 where prediction is worse than the mean.
        by_chance: what a shuffled covariate explains of any one direction once in 20 times.
        p_value: probability of a shuffled covariate to explain as much of any direction, corrected
            for the number of covariates.
        total: part of the variance of the whole latent.
    """

    name: str
    explained: NDArray[np.float64]
    by_chance: float
    p_value: float
    total: float

    @property
    def strongest(self) -> int:
        """The direction explained best."""
        return int(np.argmax(self.explained))

    @property
    def is_worrying(self) -> bool:
        """Whether it is no chance, and enough to matter."""
        return self.p_value < SURE and float(self.explained.max()) >= WORTH_MENTIONING


@dataclass(frozen=True, slots=True, kw_only=True)
class NuisanceReport(Shown):
    """Influences on the latent.

    Attributes:
        influences: of the covariates that vary.
        constant: names of those that do not.
        shares: (Z,) part of the variance of the latent on each main direction.
        n_particles: how many were looked at.
        of_tomograms: names of those that hardly vary within a tomogram.
    """

    stem: ClassVar[str] = "nuisance"

    influences: tuple[Influence, ...]
    constant: tuple[str, ...]
    shares: NDArray[np.float64]
    n_particles: int
    of_tomograms: tuple[str, ...] = ()

    @property
    def worrying(self) -> list[Influence]:
        """The strong ones, strongest first."""
        found = [each for each in self.influences if each.is_worrying]
        return sorted(found, key=lambda each: -float(each.explained.max()))

    def page(self) -> str:
        """The report as Markdown."""
        return nuisance_page(self)

    def draw(self, path: Path | str) -> None:
        """Draw what each covariate explains of each direction of the latent.

        Args:
            path: of the picture, ``.png``, ``.svg`` or ``.pdf``.

        Raises:
            DataError: no covariate varies.
        """
        from tomodrgn.plugins.commands.confounds.figures import draw_nuisance

        if not self.influences:
            raise DataError("no covariate varies, so there is nothing to draw")
        draw_nuisance(Path(path), self)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "n_particles": self.n_particles,
            "constant": list(self.constant),
            "hardly_vary_within_tomograms": list(self.of_tomograms),
            "variance_of_directions": _rounded(self.shares),
            "covariates": [
                {
                    "name": each.name,
                    "explained": _rounded(each.explained),
                    "by_chance": round(each.by_chance, 4),
                    "explained_of_all": round(each.total, 4),
                    "p_value": each.p_value,
                    "is_worrying": each.is_worrying,
                }
                for each in self.influences
            ],
        }


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
        "Explained: part of the variance that the covariate predicts in particles not seen. By "
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
    mixed = [
        markdown_text(each.name) for each in report.worrying if each.name in report.of_tomograms
    ]
    if mixed:
        lines.append(
            f"Hardly different within a tomogram: {', '.join(mixed)}. What these seem to explain "
            "may be due to the tomogram, or to one another."
        )
    if report.constant:
        lines.append(
            f"The same in all particles: {', '.join(map(markdown_text, report.constant))}."
        )
    return lines


def _sentence(each: Influence, shares: NDArray[np.float64]) -> str:
    part = float(each.explained.max())
    strength = "strongly" if part >= _STRONG else "somewhat"
    share = float(shares[each.strongest])
    weak = f" (which holds {share:.1%} of the variance)" if share < _WEAK else ""
    return (
        f"**{markdown_text(each.name)}** {strength} explains the latent: {part:.0%} of direction "
        f"{each.strongest + 1}{weak}, {each.total:.0%} of the whole. States along that "
        "direction may be no structure; compare them among particles alike in it."
    )


def _table_row(each: Influence) -> str:
    mark = "**explains the latent**" if each.is_worrying else ""
    cells = [
        markdown_text(each.name),
        f"{each.total:.1%}",
        f"{float(each.explained.max()):.1%} (PC {each.strongest + 1})",
        f"{each.by_chance:.1%}",
        f"{each.p_value:.2g}",
        mark,
    ]
    return markdown_row(cells)


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in values]
