"""Analysis of the latents of a run: components, clusters, maps, volumes and pictures."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final

from tomodrgn.core.analysis.latent_traversals import PERCENTILES
from tomodrgn.core.data.chosen_epoch import choose_epoch, open_latents
from tomodrgn.core.data.labels import record_labels
from tomodrgn.core.display import logging_to
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.latent_table import write_latent_table
from tomodrgn.core.files.pickles import write_pickle
from tomodrgn.core.memory.work import announce, report_work
from tomodrgn.core.notebook.files import place_notebooks
from tomodrgn.core.ownership.call import note_growing, remove
from tomodrgn.core.ownership.results import begin_results
from tomodrgn.core.products import ANALYSIS, LABELS, REPORT, UMAP
from tomodrgn.core.report.drawing import drawing
from tomodrgn.plugins.commands.analyze.findings import describe_analysis
from tomodrgn.plugins.commands.analyze.latents import LatentAnalysis, analyze_latents
from tomodrgn.plugins.commands.analyze.pictures import draw_analysis
from tomodrgn.plugins.commands.analyze.report import write_analysis_report
from tomodrgn.plugins.commands.analyze.volumes import decode_sets, write_set

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.data.run import Run
    from tomodrgn.plugins.commands.analyze.spec import AnalysisSpec

LOG: Final = "analyze.log"

logger = logging.getLogger(__name__)


def analyze(run: Run, spec: AnalysisSpec) -> Path:
    """Analyze the latents of a run; the folder of what was found.

    Raises:
        RunError: the run has no latents, or not those of the epoch.
        DataError: latents are not finite.
    """
    chosen = choose_epoch(run, spec.epoch)
    results, latents = open_latents(run, chosen)
    outdir = spec.outdir or chosen.run / chosen.folder_name
    begin_results(outdir)
    with logging_to(outdir / LOG) as begin_log:
        note_growing(outdir / LOG)
        begin_log()
        logger.info("%d latents of %d dimensions: %s", *latents.shape, chosen.files.latents)
        if spec.report:
            announce(
                report_work(results.particles), None, way_out="leave the report out (--no-report)"
            )
        found = analyze_latents(run, spec, latents)
        write_tables(outdir, found)
        for named in found.clusters:
            record_labels(run.directory, outdir / named.folder / LABELS, named.found.labels)
        volumes = None
        if not spec.skip_vol and found.sets:
            volumes = decode_sets(run, spec, outdir, found.sets, weights=chosen.files.weights)
        columns = draw_analysis(outdir, spec, chosen, results=results, found=found, volumes=volumes)
        findings = describe_analysis(chosen, results, found, volumes, columns)
        for name, words in findings["warnings"].items():
            logger.warning("%s: %s", name, words)
        write_text_atomic(outdir / ANALYSIS, json.dumps(findings, indent=1) + "\n")
        place_notebooks(outdir, chosen.run)
        remove(outdir / REPORT)  # of an earlier call
        if spec.report:
            with drawing(REPORT):
                write_analysis_report(
                    outdir,
                    spec,
                    chosen,
                    results=results,
                    found=found,
                    findings=findings,
                    columns=columns,
                )
    return outdir


def write_tables(outdir: Path, found: LatentAnalysis) -> None:
    """Write everything that is numbers, under the classic names."""
    for each in found.sets:
        write_set(outdir, each)
    for each in found.sets[: len(found.sets) - len(found.clusters)]:
        folder = outdir / each.folder
        write_text_atomic(folder / "z_percentiles.txt", _column(PERCENTILES.tolist()))
        indices = folder / "z_percentiles_ind.txt"
        if each.are_particles:
            write_text_atomic(indices, _column(each.particles.tolist()))
        else:
            remove(indices)
    for named in found.clusters:
        folder, rows = outdir / named.folder, named.found.centre_particles
        write_pickle(folder / LABELS, named.found.labels)
        write_latent_table(folder / "centers.txt", found.latents[rows])
        write_text_atomic(folder / "centers_ind.txt", _column(rows.tolist()))
    write_pickle(outdir / "pc.pkl", found.scores)
    if found.umap is not None:
        write_pickle(outdir / UMAP, found.umap.places)
    else:
        remove(outdir / UMAP)


def _column(values: list[float] | list[int]) -> str:
    return (
        "\n".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)
        + "\n"
    )
