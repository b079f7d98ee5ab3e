"""Reports: one HTML file with what is known of a run, for any browser."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.data.gray_level_record import record_sentence
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.json_text import read_json
from tomodrgn.core.products import MANIFEST, RUN_SPEC
from tomodrgn.core.quoting import shell_words
from tomodrgn.core.report.page import Page, Picture, Table, page_text
from tomodrgn.core.report.points import Kinds, Places, ReportPoints, encode_points

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.core.particles.tables import ParticleSet

logger = logging.getLogger(__name__)

MAX_BYTES_OF_POINTS: Final = 12_000_000
MAX_BYTES_OF_PICTURES: Final = 5_000_000
_MAX_TOMOGRAMS: Final = 300
_MAX_COMPONENTS: Final = 8
_COLORS: Final = 64

Sections = dict[str, list[Picture | Table]]
"""Pictures and tables by heading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a report says of a run.

    Attributes:
        results: the run.
        moment: of the run, in words.
        model: what was fitted, in words.
        files: what is shown, by name.
        verdict: whether to believe it, in words.
        warnings: in words, by short names.
        points: the particles.
        sections: pictures and tables.
        left_out: what is not on the page, in words.
    """

    results: RunResults
    moment: str
    model: str
    files: str
    verdict: str
    warnings: Mapping[str, str]
    points: ReportPoints
    sections: Sections
    left_out: Sequence[str] = field(default=())


def write_report(path: Path, report: Report) -> None:
    """Write a report as one HTML file."""
    from tomodrgn.core.figures.colors import color_map
    from tomodrgn.core.figures.style import PALETTE

    points = encode_points(report.points, most_bytes=MAX_BYTES_OF_POINTS)
    gradient = color_map("viridis").gradient(np.linspace(0, 1, _COLORS))
    run = report.results.directory
    page = Page(
        title=f"{run.resolve().name}, {report.moment}",
        subtitle=f"{report.results.particles.n_particles:,} particles, {report.model}",
        facts=_facts(report),
        warnings=report.warnings,
        verdict=report.verdict,
        sections=report.sections,
        details=_details(run),
        points=points.values,
        palette=PALETTE,
        gradient=[f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in gradient.tolist()],
        remarks=[f"Left out: {words}." for words in (*points.left_out, *report.left_out)],
    )
    write_text_atomic(path, page_text(page))
    logger.info("%s: %.1f MB, opens in any browser", path, path.stat().st_size / 1e6)


class Album:
    """Pictures taken into a page while there is room.

    Args:
        room: bytes.
    """

    def __init__(self, room: int) -> None:
        self.most = self.room = room
        self.missing: list[str] = []

    def take(self, path: Path, caption: str) -> list[Picture | Table]:
        """The picture, if it is there and there is room for it."""
        if not path.exists() or not self.most:
            return []
        if path.stat().st_size > self.room:
            self.missing.append(f"{path.name}, which is large; it lies in {path.parent.name}")
            return []
        png = path.read_bytes()
        self.room -= len(png)
        return [Picture(png=png, caption=caption)]


def latent_map(
    latents: NDArray[np.float32], scores: NDArray[np.float32], shares: NDArray[np.float64]
) -> Places:
    """Particles on the first principal components of their latents.

    Args:
        latents: (B, Z).
        scores: (B, Z) places along the components.
        shares: (Z,) of the variance.
    """
    if latents.shape[1] == 1:
        rows = np.arange(len(latents), dtype=np.float32)
        places = np.column_stack([latents[:, 0], rows])
        return Places(name="Latent", axes=("latent", "particle number"), places=places)
    first, second = (f"l-PC{k + 1} ({shares[k]:.1%})" for k in range(2))
    return Places(name="PCA", axes=(first, second), places=scores[:, :2])


def tomogram_maps(particles: ParticleSet) -> Iterator[Places]:
    """Particles in their tomograms, where it is known where they lie."""
    if particles.position_a is not None:
        yield Places(
            name="Tomogram",
            axes=("x (Å)", "y (Å)"),
            places=particles.position_a[:, :2],
            has_scale=True,
            by_tomogram=True,
        )


def tomograms_of(particles: ParticleSet) -> Kinds:
    """The tomogram of each particle."""
    names, codes = np.unique(particles.tomogram.astype(str), return_inverse=True)
    return Kinds(codes=codes, names=[name or "unnamed" for name in names.tolist()])


def latent_model(results: RunResults) -> str:
    """The model of a run, in words."""
    decoder = (results.spec.get("decoder") or {}).get("kind", "unknown")
    dim = (results.spec.get("latent") or {}).get("dim")
    if dim is None:
        return f"{decoder}, one structure"
    return f"{decoder}, {dim} latent dimension{'s'[: dim != 1]}"


def component_columns(scores: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Places (B,) along each of the first components, by name."""
    return {f"l-PC{k + 1}": scores[:, k] for k in range(min(scores.shape[1], _MAX_COMPONENTS))}


def classes_by_tomogram(
    name: str, tomograms: Sequence[str], counts: NDArray[np.integer], *, what: str
) -> Table:
    """Particles of each class in each tomogram, shaded by the share of the tomogram.

    Args:
        name: of the classes.
        tomograms: (T,) names.
        counts: (T, K) particles.
        what: what the classes are called.
    """
    rows = [
        [tomogram or "unnamed", *own]
        for tomogram, own in zip(tomograms, counts.tolist(), strict=True)
    ][:_MAX_TOMOGRAMS]  # fmt: skip
    more = f"; the first {_MAX_TOMOGRAMS} tomograms" if len(tomograms) > _MAX_TOMOGRAMS else ""
    return Table(
        caption=f"{name}: particles of each {what} in each tomogram, darker where a tomogram has "
        f"more of them{more}",
        head=["tomogram", *map(str, range(counts.shape[1]))],
        rows=rows,
        shaded=True,
    )


def _facts(report: Report) -> dict[str, str]:
    manifest, particles = _manifest(report.results.directory), report.results.particles
    n_tomograms = len(set(particles.tomogram.tolist()))
    return {
        "Particles file": str(particles.source),
        "Data": f"{particles.n_particles:,} particles, {particles.n_images:,} images, "
        f"{n_tomograms:,} tomogram{'s'[: n_tomograms != 1]}, {particles.pixel_size_a:.4g} Å per "
        f"px, box {particles.box_size_px} px",
        **_gray_levels(manifest),
        "Model": report.model,
        "Files": report.files,
        "Program": str(manifest.get("program", "unknown")),
        "Started": str(manifest.get("started", "unknown")),
        "Seed": str(manifest.get("seed", "unknown")),
    }


def _gray_levels(manifest: Mapping[str, Any]) -> dict[str, str]:
    record = manifest.get("gray_levels")
    return {} if record is None else {"Gray levels": record_sentence(record)}


def _details(run: Path) -> dict[str, str]:
    manifest = _manifest(run)
    versions = {"python": manifest.get("python"), **manifest.get("packages", {})}
    return {
        "All settings (run.yaml)": (run / RUN_SPEC).read_text(encoding="utf-8"),
        "Versions": "\n".join(f"{name} {version}" for name, version in versions.items()),
        "Call": shell_words(map(str, manifest.get("command", []))),
    }


def _manifest(run: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = read_json(run / MANIFEST)
    return manifest
