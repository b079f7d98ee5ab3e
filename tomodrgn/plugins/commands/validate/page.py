"""What raw images say about classes: the findings, and the page that tells them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tomodrgn.core.errors import DataError
from tomodrgn.core.quoting import markdown_row, markdown_text
from tomodrgn.core.report.shown import Shown
from tomodrgn.plugins.commands.validate.chance import CHANCE, N_SHUFFLES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tomodrgn.core.refinement.verdict import Verdict
    from tomodrgn.plugins.commands.validate.chance import Separation
    from tomodrgn.plugins.commands.validate.coverage import Coverage

FITTED_NOISE: Final = 6.0
"""Standard deviations below which labels that come from the same images may be fitted noise."""
FITTED_NOISE_PER_ROOT: Final = 0.6
"""The same over the square root of the number of particles, which the z of fitted noise grows with:
clusters of 120 to 900 particles without any heterogeneity reached 0.46, states 0.56 to 0.82."""
OF_ERRORS: Final = "errors of pose or contrast"
APART: Final = 0.05
"""Largest corrected p value at which one class, or a pair of classes, is called apart."""
_MAX_PAIRS_NAMED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFinding:
    """What is known of one class.

    Attributes:
        name: what the labels call it.
        n_particles: its particles.
        n_images: their images.
        n_tomograms: tomograms that they come from.
        resolution: at which its half maps agree, in words; None where it has no half maps.
        resolution_a: the same in angstrom.
        fsc: (D/2 + 1,) agreement of the half maps.
        coverage: of Fourier space at that resolution.
        decoder_fsc: (D/2 + 1,) agreement of its map with the decoded volume; None without decoder.
        decoder_agreement: mean of that curve up to the resolution.
        medoid: row of the particle at whose latent the volume was decoded.
    """

    name: str
    n_particles: int
    n_images: int
    n_tomograms: int
    resolution: str | None = None
    resolution_a: float | None = None
    fsc: NDArray[np.float64] | None = None
    coverage: Coverage | None = None
    decoder_fsc: NDArray[np.float64] | None = None
    decoder_agreement: float | None = None
    medoid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation(Shown):
    """All findings on a set of labels.

    Attributes:
        classes: each class.
        compared: classes that were compared, in the order of ``separation``.
        separation: how far the labels are from chance; None where fewer than two can be compared.
        n_compared: particles that decided this.
        is_held_out: whether they did so with tilts that the labels have never seen.
        pixel_size_a: of the maps.
        is_from_images: whether the labels lie in the directory of a run, and so come from images.
        run_found: whether that run found on held-out tilts that particles differ; None where it
            did not ask.
        run_said: what it said of it, in words.
        blind: how far labels would be from chance if poses and contrast were right; ``separation``
            allows for errors of these.
        judged: what the class maps are worth, beside such errors, where nobody says which particle
            is in which class.
    """

    stem: ClassVar[str] = "validate"

    classes: tuple[ClassFinding, ...]
    compared: tuple[int, ...]
    separation: Separation | None
    n_compared: int
    is_held_out: bool
    pixel_size_a: float
    is_from_images: bool = False
    run_found: bool | None = None
    run_said: str | None = None
    blind: Separation | None = None
    judged: Verdict | None = None

    @property
    def is_doubtful(self) -> bool:
        """Whether labels that look real may be noise that they were made of."""
        if self.separation is None or self.is_held_out or not self.is_from_images:
            return False
        if self.run_found is False:
            return True
        return self.separation.z < self.least_z and not self.maps_are_worth_it

    @property
    def maps_are_worth_it(self) -> bool:
        """Whether class maps of one half explain particles of the other whose class is unknown."""
        return self.judged is not None and self.judged.is_heterogeneous(self.n_compared)

    @property
    def is_of_errors(self) -> bool:
        """Whether labels tell particles apart by what errors of pose or contrast make."""
        if self.separation is None or self.blind is None or self.judged is None:
            return False
        if self.separation.is_real:
            return self.judged.is_explained_by_errors
        return self.blind.is_real

    @property
    def least_z(self) -> float:
        """Standard deviations that labels from the same images have to reach."""
        beyond_noise = FITTED_NOISE_PER_ROOT * math.sqrt(self.n_compared)
        choose = min if self.run_found else max
        return choose(FITTED_NOISE, beyond_noise)

    @property
    def verdict(self) -> str:
        """``differ``, or why not: ``errors of pose or contrast``, ``doubtful`` and others."""
        if self.separation is None:
            return "too few particles"
        if self.is_of_errors:
            return OF_ERRORS
        if not self.separation.is_real:
            return "no better than chance"
        return "doubtful" if self.is_doubtful else "differ"

    @property
    def class_verdicts(self) -> list[str]:
        """One for each class; none differs where the labels together do not."""
        verdicts = ["too few particles"] * len(self.classes)
        if self.separation is not None:
            for place, row in enumerate(self.compared):
                is_apart = self.separation.is_real and self.separation.class_p_value[place] < APART
                apart = OF_ERRORS if self.is_of_errors else "differs"
                if self.is_doubtful and not self.is_of_errors:
                    apart = "doubtful"
                verdicts[row] = apart if is_apart else "no better than chance"
        return verdicts

    @property
    def alike(self) -> list[tuple[str, str]]:
        """Pairs of classes that the images do not tell apart."""
        if self.separation is None:
            return []
        p_values = self.separation.pair_p_value
        names = [self.classes[row].name for row in self.compared]
        return [
            (names[a], names[b])
            for a in range(len(names))
            for b in range(a + 1, len(names))
            if p_values[a, b] >= APART
        ]

    def page(self) -> str:
        """The findings in words and a table, as Markdown."""
        return validation_page(self)

    def draw(self, path: Path | str) -> None:
        """Draw how far each class, and each pair of classes, is from permuted labels.

        Args:
            path: of the picture, ``.png``, ``.svg`` or ``.pdf``.

        Raises:
            DataError: fewer than two classes could be compared.
        """
        from tomodrgn.plugins.commands.validate.figures import draw_separation

        if self.separation is None:
            raise DataError("fewer than two classes could be compared, so there is nothing to draw")
        names = [self.classes[row].name for row in self.compared]
        draw_separation(Path(path), names, self.separation)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        found = self.separation
        return {
            "verdict": self.verdict,
            "p_value": None if found is None else found.p_value,
            "z": None if found is None else found.z,
            "z_within_tomograms": None if found is None else found.z_within,
            "n_particles_compared": self.n_compared,
            "on_held_out_tilts": self.is_held_out,
            "labels_from_images": self.is_from_images,
            "run_found_heterogeneity": self.run_found,
            "run_said": self.run_said,
            "z_without_errors_of_pose": None if self.blind is None else self.blind.z,
            "maps": None if self.judged is None else self.judged.figures(),
            "not_told_apart": [list(pair) for pair in self.alike],
            "pixel_size_a": self.pixel_size_a,
            "classes": [self._class_json(row) for row in range(len(self.classes))],
        }

    def _class_json(self, row: int) -> dict[str, Any]:
        each, found = self.classes[row], self.separation
        place = self.compared.index(row) if row in self.compared else None
        return {
            "name": each.name,
            "verdict": self.class_verdicts[row],
            "z": None if found is None or place is None else float(found.class_z[place]),
            "p_value": None
            if found is None or place is None
            else float(found.class_p_value[place]),
            "n_particles": each.n_particles,
            "n_images": each.n_images,
            "n_tomograms": each.n_tomograms,
            "resolution_a": each.resolution_a,
            "half_map_fsc": _numbers(each.fsc),
            "covered": None if each.coverage is None else each.coverage.covered,
            "evenness": None if each.coverage is None else each.coverage.evenness,
            "decoder_agreement": each.decoder_agreement,
            "decoder_fsc": _numbers(each.decoder_fsc),
            "medoid": each.medoid,
        }


def validation_page(found: Validation) -> str:
    """The findings in words and a table, as Markdown."""
    rows = [
        "| class | particles | images | tomograms | resolution | angular coverage | sampling "
        "uniformity | map-to-map FSC | z | verdict |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --- |",
    ]
    rows += [_table_row(found, row) for row in range(len(found.classes))]
    return "\n".join(
        ["# Do the classes differ?", "", *_sentences(found), "", *rows, "", *_LEGEND,
         *_sources(found), ""]
    )  # fmt: skip


def _sources(found: Validation) -> list[str]:
    """A table of where differences may come from."""
    if found.judged is None or found.verdict == "no better than chance":
        return []
    shares = found.judged.table()
    rows = [markdown_row([markdown_text(name), f"{share:.0%}"]) for name, share in shares.items()]
    return [
        "",
        "Where what differs may come from: the part of it that errors of contrast, shift and "
        "rotation would look like,",
        "and the part that follows from what is known of particles. Parts may overlap.",
        "",
        "| source | share |",
        "| --- | --: |",
        *rows,
    ]


_LEGEND: Final = (
    "Resolution: FSC of half maps = 0.143. Angular coverage: part of all directions that an image "
    "sees at that",
    "resolution; sampling uniformity: 1 if all are seen equally often. Map-to-map FSC: mean FSC of "
    "the decoded volume",
    "with the map of the raw images, up to that resolution. z: how much better particles fit their "
    "class than particles",
    "of permuted labels, in standard deviations.",
)


def _sentences(found: Validation) -> list[str]:
    if found.separation is None:
        return ["**Too few particles**: fewer than two classes have particles in both halves."]
    chance = f"z = {found.separation.z:.1f}, p {_p_text(found.separation.p_value)}"
    lines = [_verdict_sentence(found, chance), ""]
    if found.separation.is_real and found.alike:
        pairs = [" and ".join(map(markdown_text, pair)) for pair in found.alike]
        more = f", and {len(pairs) - _MAX_PAIRS_NAMED} pairs more" * (len(pairs) > _MAX_PAIRS_NAMED)
        lines.append(f"Not told apart: classes {', '.join(pairs[:_MAX_PAIRS_NAMED])}{more}.")
    lines += _beside_the_run(found)
    within = found.separation.z_within
    if within is not None:
        lines.append(f"Among particles of the same tomogram alone: z = {within:.1f}.")
    lines.append(
        f"Decided by {found.n_compared} particles, on tilts that the run has held out."
        if found.is_held_out
        else f"Decided by {found.n_compared} particles. If their images made the labels, noise "
        "that made a label also fits it; a run with --fraction-train is judged on tilts that it "
        "has not seen."
    )
    return lines


def _beside_the_run(found: Validation) -> list[str]:
    """What the run said before, and what these labels and their maps say."""
    lines = [] if found.run_said is None else [f"The run itself said: {found.run_said}."]
    if found.judged is None or found.is_of_errors:
        return lines
    [what, *_] = found.judged.lines(found.n_compared, "these class maps")
    lines.append(f"Without any label, held-out tilts of the particles say: {what}.")
    if found.run_found is not None and found.run_found != (found.verdict == "differ"):
        lines.append(
            "These labels do not confirm that: they may miss what differs."
            if found.run_found
            else "So what these labels tell apart is to be found again, with more particles or "
            "tilts that no label has seen, before it is believed."
        )
    return lines


def _verdict_sentence(found: Validation, chance: str) -> str:
    if found.is_of_errors and found.judged is not None and found.blind is not None:
        share = found.judged.share["errors"]
        return (
            "**FLAGGED: errors of pose or contrast.** Particles fit the map of their class better "
            f"than permuted labels do (z = {found.blind.z:.1f}), but {share:.0%} of what differs "
            f"is what such errors look like; beyond them {chance}. Refine poses before you "
            "interpret the classes: train with --refine-poses on."
        )
    if found.is_doubtful and found.verdict == "doubtful":
        reason = (
            "held-out tilts told the run that its states, or those it began with, mean nothing"
            if found.run_found is False
            else f"of {found.n_compared} particles z = {found.least_z:.1f} is asked for, which "
            "clusters of pure noise do not reach"
        )
        return (
            "**FLAGGED: doubtful.** Particles fit the map of their class better than permuted "
            f"labels do ({chance}), but the labels come from the same images, and {reason}."
        )
    if found.separation is not None and found.separation.is_real:
        return (
            "**The classes differ.** Particles fit the map of their class, made of other "
            f"particles, better than permuted labels do ({chance}), beyond what errors of their "
            "poses and contrast explain."
        )
    return (
        "**FLAGGED: the classes are no better than chance.** Particles fit the map of their class, "
        f"made of other particles, no better than permuted labels do ({chance}). "
        "Do not interpret their differences."
    )


def _p_text(p_value: float) -> str:
    smallest = 2 / (N_SHUFFLES + 1)
    return f"< {CHANCE / 20:g}" if p_value <= smallest + 1e-12 else f"= {p_value:.2g}"


def _table_row(found: Validation, row: int) -> str:
    each = found.classes[row]
    z = found.as_json()["classes"][row]["z"]
    cells = [
        markdown_text(each.name),
        str(each.n_particles),
        str(each.n_images),
        str(each.n_tomograms),
        each.resolution or "",
        "" if each.coverage is None else f"{each.coverage.covered:.0%}",
        "" if each.coverage is None else f"{each.coverage.evenness:.2f}",
        "" if each.decoder_agreement is None else f"{each.decoder_agreement:.2f}",
        "" if z is None else f"{z:.1f}",
        found.class_verdicts[row],
    ]
    return markdown_row(cells)


def _numbers(values: NDArray[np.float64] | None) -> list[float] | None:
    return None if values is None else [round(float(value), 6) for value in values]
