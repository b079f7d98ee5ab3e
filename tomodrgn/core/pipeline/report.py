"""The report of an analysis: one HTML file with all that was found, for any browser."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.pipeline.analysis_findings import LINEAR_FIGURES
from tomodrgn.core.pipeline.nuisance import REPORT as NUISANCE
from tomodrgn.core.report.page import Page, Picture, Table, page_text
from tomodrgn.core.report.points import Kinds, Places, ReportPoints, encode_points
from tomodrgn.core.run_directory import MANIFEST, RUN_SPEC

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.pipeline.analysis_input import ChosenEpoch
    from tomodrgn.core.pipeline.analysis_latents import LatentAnalysis
    from tomodrgn.core.specs.analysis import AnalysisSpec

logger = logging.getLogger(__name__)

REPORT: Final = "report.html"
MOST_BYTES_OF_POINTS: Final = 12_000_000
MOST_BYTES_OF_PICTURES: Final = 5_000_000
_MOST_TOMOGRAMS: Final = 300
_COLOURS: Final = 64


def write_report(
    outdir: Path,
    spec: AnalysisSpec,
    chosen: ChosenEpoch,
    *,
    results: RunResults,
    found: LatentAnalysis,
    findings: Mapping[str, Any],
    columns: Mapping[str, NDArray[np.floating]],
) -> Path:
    """Write ``report.html``; the pictures in ``outdir`` are taken into it where they are PNG."""
    from tomodrgn.core.analysis.colours import colour_map
    from tomodrgn.core.analysis.style import PALETTE

    points = encode_points(
        _points(results.particles, found, columns), most_bytes=MOST_BYTES_OF_POINTS
    )
    sections, missing = _sections(outdir, spec, chosen.run, findings)
    gradient = colour_map("viridis").gradient(np.linspace(0, 1, _COLOURS))
    page = Page(
        title=f"{chosen.run.resolve().name}, {_moment(chosen)}",
        subtitle=f"{results.particles.n_particles:,} particles, "
        f"{found.latents.shape[1]} latent dimensions",
        facts=_facts(chosen, results),
        warnings=findings["warnings"],
        verdict=_verdict(chosen),
        sections=sections,
        details=_details(chosen.run),
        points=points.values,
        palette=PALETTE,
        gradient=[f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in gradient.tolist()],
        remarks=[f"Left out: {words}." for words in (*points.left_out, *missing)],
    )
    path = outdir / REPORT
    write_text_atomic(path, page_text(page))
    logger.info("%s: %.1f MB, opens in any browser", path, path.stat().st_size / 1e6)
    return path


def _verdict(chosen: ChosenEpoch) -> str:
    """What held-out tilts say of the run."""
    if chosen.verdict is not None:
        return f"Held-out tilts: {chosen.verdict.reason}."
    if (chosen.run / LINEAR_FIGURES).exists():
        return "A linear model, fitted to its end."
    return (
        "No tilts were held out, so nothing here tells learning from memorising; train with "
        "--fraction-train 0.8 to be told."
    )


def _moment(chosen: ChosenEpoch) -> str:
    return "end of the run" if chosen.epoch is None else f"epoch {chosen.epoch}"


def _points(
    particles: ParticleSet, found: LatentAnalysis, columns: Mapping[str, NDArray[np.floating]]
) -> ReportPoints:
    names, codes = np.unique(particles.tomogram.astype(str), return_inverse=True)
    kinds = {
        each.folder: Kinds(
            codes=each.found.labels, names=[f"{label}" for label in range(len(each.found.sizes))]
        )
        for each in found.clusters
    }
    kinds["tomogram"] = Kinds(codes=codes, names=[name or "unnamed" for name in names.tolist()])
    components = {f"l-PC{k + 1}": found.scores[:, k] for k in range(min(found.scores.shape[1], 8))}
    return ReportPoints(
        maps=list(_maps(particles, found)),
        kinds=kinds,
        numbers=components | dict(columns),
        index=particles.source_particle,
        latents=found.latents,
    )


def _maps(particles: ParticleSet, found: LatentAnalysis) -> Iterable[Places]:
    if found.latents.shape[1] == 1:
        rows = np.arange(len(found.latents), dtype=np.float32)
        places = np.column_stack([found.latents[:, 0], rows])
        yield Places(name="Latent", axes=("latent", "particle number"), places=places)
    else:
        first, second = (f"l-PC{k + 1} ({found.axes.shares[k]:.0%})" for k in range(2))
        yield Places(name="PCA", axes=(first, second), places=found.scores[:, :2])
    if found.umap is not None:
        yield Places(name="UMAP", axes=("l-UMAP1", "l-UMAP2"), places=found.umap.places)
    if particles.position_a is not None:
        yield Places(
            name="Tomogram",
            axes=("x (Å)", "y (Å)"),
            places=particles.position_a[:, :2],
            has_scale=True,
            by_tomogram=True,
        )


def _facts(chosen: ChosenEpoch, results: RunResults) -> dict[str, str]:
    manifest, spec, particles = _manifest(chosen.run), results.spec, results.particles
    decoder = (spec.get("decoder") or {}).get("kind", "unknown")
    return {
        "Particles file": str(particles.source),
        "Data": f"{particles.n_particles:,} particles, {particles.n_images:,} images, "
        f"{len(set(particles.tomogram.tolist())):,} tomograms, {particles.pixel_size_a:.4g} Å per "
        f"px, box {particles.box_size_px} px",
        "Model": f"{decoder}, {(spec.get('latent') or {}).get('dim')} latent dimensions",
        "Weights, latents": f"{chosen.files.weights.name}, {chosen.files.latents.name}",
        "Program": str(manifest.get("program", "unknown")),
        "Started": str(manifest.get("started", "unknown")),
        "Seed": str(manifest.get("seed", "unknown")),
    }


def _details(run: Path) -> dict[str, str]:
    manifest = _manifest(run)
    versions = {"python": manifest.get("python"), **manifest.get("packages", {})}
    return {
        "All settings (run.yaml)": (run / RUN_SPEC).read_text(encoding="utf-8"),
        "Versions": "\n".join(f"{name} {version}" for name, version in versions.items()),
        "Call": " ".join(map(str, manifest.get("command", []))),
    }


def _manifest(run: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((run / MANIFEST).read_text(encoding="utf-8"))
    return manifest


def _sections(
    outdir: Path, spec: AnalysisSpec, run: Path, findings: Mapping[str, Any]
) -> tuple[dict[str, list[Picture | Table]], list[str]]:
    """Pictures and tables by heading; and what is left out, in words."""
    album, of_run = _Album(MOST_BYTES_OF_PICTURES), _Album(MOST_BYTES_OF_PICTURES // 5)
    clusters = findings["clusters"]
    if spec.plot_format != "png":
        album = _Album(0)  # what is there as PNG is of an earlier call
        album.missing.append(f"pictures of this analysis, which are {spec.plot_format}, not png")
    pictures: dict[str, list[Picture | Table]] = {
        "Volumes": _volumes(album, outdir, findings) if findings["volumes"] else [],
        "Clusters by tomogram": [_by_tomogram(each) for each in clusters],
        "What explains the latents": [
            *_nuisance(run / "nuisance" / NUISANCE),
            *of_run.take(run / "nuisance" / "nuisance.png", "Nuisance report of the whole run."),
        ],
        "Variance and losses": [
            *album.take(
                outdir / "z_pca_explainedvariance.png",
                "Share of the variance of the latents along each principal component.",
            ),
            *album.take(outdir / "model_loss.png", "Losses by epoch."),
        ],
    }
    return pictures, album.missing + of_run.missing


class _Album:
    """Pictures taken into the page while there is room."""

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


def _volumes(album: _Album, outdir: Path, findings: Mapping[str, Any]) -> list[Picture | Table]:
    """Slices of the volumes that this analysis decoded."""
    along = album.take(
        outdir / "z_pca_volumes.png",
        "Central slices of the volumes along each principal component of the latents, from the 5th "
        "to the 95th percentile of the particles; one grey scale, one contour.",
    )
    for folder in [each["folder"] for each in findings["clusters"]]:
        along += album.take(
            outdir / folder / "volumes.png",
            f"{folder}: central slices of the volume in the middle of each cluster; in brackets "
            "how many particles it has.",
        )
    return along


def _by_tomogram(clusters: Mapping[str, Any]) -> Table:
    """Particles of each cluster (rows) in each tomogram: shaded by the share of the tomogram."""
    counts = np.asarray(clusters["particles_by_tomogram"]).T
    names = clusters["tomograms"]
    rows = [
        [name or "unnamed", *own]
        for name, own in zip(names, counts.tolist(), strict=True)
    ][:_MOST_TOMOGRAMS]  # fmt: skip
    more = f"; the first {_MOST_TOMOGRAMS} tomograms" if len(names) > _MOST_TOMOGRAMS else ""
    return Table(
        caption=f"{clusters['folder']}: particles of each cluster in each tomogram, darker where "
        f"a tomogram has more of them{more}",
        head=["tomogram", *map(str, range(counts.shape[1]))],
        rows=rows,
        shaded=True,
    )


def _nuisance(path: Path) -> list[Picture | Table]:
    """The table of ``tomodrgn nuisance``, where it has been called."""
    if not path.exists():
        return []
    try:
        covariates = json.loads(path.read_text(encoding="utf-8"))["covariates"]
        rows = [
            [
                each["name"],
                f"{max(each['explained']):.1%}",
                f"{each['by_chance']:.1%}",
                f"{each['explained_of_all']:.1%}",
                "look into it" if each["is_worrying"] else "",
            ]
            for each in covariates
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s: left out of the report (%s)", path, error)
        return []
    return [
        Table(
            caption="Variance of the latents at the end of the run that goes with what else is "
            "known of the particles: of the direction explained best, what chance alone reaches "
            "there once in 20 times, and of all directions together.",
            head=["known of particles", "of one direction", "by chance", "of all", ""],
            rows=rows,
        )
    ]
