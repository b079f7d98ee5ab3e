"""Linear models: from a run spec to a run directory, without a network."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tomodrgn.core.data.describe import describe_run
from tomodrgn.core.data.parts import build_model
from tomodrgn.core.data.run import Run
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.particles.outliers_file import CALLED
from tomodrgn.core.products import LINEAR
from tomodrgn.plugins.commands.train.fitted import (
    write_corrections,
    write_maps,
    write_model,
    write_posterior,
)
from tomodrgn.plugins.commands.train.fitting import Found, Task, fit_task, opened_task
from tomodrgn.plugins.commands.train.pictures import draw_run_report

if TYPE_CHECKING:
    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.specs.output import RunDirectorySpec

logger = logging.getLogger(__name__)


def train_linear(dataset: Dataset, spec: RunDirectorySpec) -> Run:
    """Fit a linear model and write its run directory.

    Args:
        dataset: what to fit, and how; ``latent.dim`` None finds the number of latents.
        spec: where to; the run directory is made where there is none.

    Raises:
        RunError: the directory already holds a run.
        DataError: the particles or their images cannot be used, or are too few.
        OutputError: the directory cannot be written.
    """
    began, n_latents = time.perf_counter(), dataset.spec.latent.dim
    with opened_task(dataset, spec.outdir, n_latents=n_latents) as opened:
        found = fit_task(opened, opened.observed(), n_latents=n_latents)
        latent = opened.run.latent.model_copy(update={"dim": len(found.fit.maps) - 1})
        task = opened.with_run(opened.run.model_copy(update={"latent": latent}))
        describe_run(task.outdir, task.dataset, facts=task.facts, images=task.images)
        _write(task, found)
        seconds = time.perf_counter() - began
        tell_linear(task, found, seconds)
        say_finished(task, seconds)
        finished = Run(task.outdir, dataset.registry, dataset=task.dataset)
        draw_run_report(finished, task.devices.device, wanted=task.run.training.report)
    return finished


def _write(task: Task, result: Found) -> None:
    """Write the model, its latents, its maps, and the poses that it was fitted in."""
    model = build_model(task.run, task.dataset.registry, task.facts)
    model.load_state_dict({"decoder.maps": result.fit.maps.float().cpu()})
    write_model(task, model)
    write_posterior(task, result.fit.latents)
    write_maps(task, result.fit.maps, result.fit.half_maps)
    write_corrections(task, result)


def tell_linear(task: Task, result: Found, seconds: float) -> None:
    """Say and write what a linear model found."""
    found, verdict, refined = result.fit, result.verdict, result.refined
    facts = task.facts
    n_shells = found.fsc.shape[1]
    length_a = facts.box_size_px * facts.pixel_size_a
    differ = verdict.is_heterogeneous(facts.n_particles)
    figures: dict[str, Any] = {
        "is_heterogeneous": differ,
        "n_latents": len(found.maps) - 1,
        "held_out": asdict(found.held_out),
        "verdict": verdict.figures(),
        "refinement": None if refined is None else refined.figures(facts.pixel_size_a),
        "outliers": result.outliers.figures(),
        "n_rare": 0 if result.rare is None else int((result.rare > CALLED).sum()),
        "log_evidence_per_particle": found.evidence,
        "shells_of_latents": found.radius_px,
        "resolution_of_latents_a": length_a / found.radius_px,
        "shell_weights": found.shell_weights.tolist(),
        "fsc": found.fsc.tolist(),
        "resolution_a": [None, *(length_a / shell for shell in range(1, n_shells))],
        "seconds": round(seconds, 2),
        "microseconds_per_image": round(1e6 * seconds / facts.n_images, 1),
    }
    write_text_atomic(task.outdir / LINEAR, json.dumps(figures, indent=2) + "\n")
    for line in result.lines():
        logger.info("%s", line)


def say_finished(task: Task, seconds: float) -> None:
    """Say what there is now, and where."""
    logger.info(
        "%d latent dimension%s of %d particles in %.1f s; results in %s",
        task.run.latent.dim,
        "" if task.run.latent.dim == 1 else "s",
        task.facts.n_particles,
        seconds,
        task.outdir,
    )
