"""Linear models: from a run spec to a run directory, without a network."""

from __future__ import annotations

import io
import json
import logging
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tomodrgn.core.data.ctf_state import with_ctf_state
from tomodrgn.core.data.damaged import leave_out_damaged
from tomodrgn.core.data.describe import dataset_facts, describe_run
from tomodrgn.core.data.observing import observe, window_power
from tomodrgn.core.data.parts import build_model
from tomodrgn.core.data.refining import refine, verdict_of, write_refined
from tomodrgn.core.data.run import Run
from tomodrgn.core.data.run_images import open_run_images
from tomodrgn.core.data.start import begin_run, choose_seed, find_start, set_results_aside
from tomodrgn.core.display import logging_to
from tomodrgn.core.files.atomic import write_bytes_atomic, write_text_atomic
from tomodrgn.core.files.mrc import write_volume
from tomodrgn.core.files.pickles import write_latents
from tomodrgn.core.invocation import text_of_call
from tomodrgn.core.linear.fit import (
    FEWEST_PER_LATENT,
    MOST_LATENTS,
    SPARE_LATENTS,
    LinearFit,
    fit_linear,
)
from tomodrgn.core.memory.work import linear_work
from tomodrgn.core.particles.keyed_random import keyed_normal, particle_keys
from tomodrgn.core.particles.splits import train_mask
from tomodrgn.core.products import COVARIANCE, LATENTS, LINEAR, LOG, WEIGHTS
from tomodrgn.core.reconstruction.halves import rows_of_halves
from tomodrgn.core.training.checkpoint import Checkpoint, save_checkpoint
from tomodrgn.core.training.devices import Devices
from tomodrgn.plugins.commands.train.pictures import draw_run_report

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.data.run_directory import DatasetFacts
    from tomodrgn.core.linear.observations import Observations
    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.refinement.rounds import Refinement
    from tomodrgn.core.refinement.verdict import Verdict
    from tomodrgn.core.specs.output import RunDirectorySpec
    from tomodrgn.core.specs.run import RunSpecBase

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
    began = time.perf_counter()
    run, registry, outdir = dataset.spec, dataset.registry, spec.outdir
    devices = Devices(run.devices, alone=True)
    if run.seed is None:
        run = run.model_copy(update={"seed": choose_seed(run, outdir, devices)})
    find_start(run, outdir, can_go_on=False)
    with logging_to(outdir / LOG, verbose=run.training.verbose) as begin_log:
        logger.info("%s", text_of_call())
        reader, particles = dataset.with_spec(run).selected
        run = with_ctf_state(run, particles)
        rows = _halves(particles, run)
        is_trained = train_mask(particles, run.dataset.fraction_train, run.seed or 0)
        facts = dataset_facts(particles, is_trained)
        results = begin_run(outdir, begin_log)
        n_maps = None if run.latent.dim is None else 1 + run.latent.dim
        work = linear_work(run, particles, devices.device, n_maps=n_maps)
        images = open_run_images(run, reader, particles, outdir, devices, work=work)
        set_results_aside(results, run)
        run, particles, images = leave_out_damaged(run, particles, images, outdir, devices)
        if particles.n_images < facts.n_images:
            rows = _halves(particles, run)
            is_trained = train_mask(particles, run.dataset.fraction_train, run.seed or 0)
            facts = dataset_facts(particles, is_trained)
        observed = observe(run, particles, images, is_trained, devices)
        result = _fit(run, observed, rows)
        latent = run.latent.model_copy(update={"dim": len(result.fit.maps) - 1})
        run = run.model_copy(update={"latent": latent})
        dataset = dataset.replaced(run, reader, particles)
        describe_run(outdir, dataset, facts=facts, images=images)
        _write(outdir, result, dataset, facts, images.norm)
        if result.refined is not None:
            write_refined(outdir, particles, is_trained, result.refined)
        _tell(outdir, result, facts, time.perf_counter() - began)
        finished = Run(outdir, registry, dataset=dataset)
        draw_run_report(finished, devices.device, wanted=run.training.report)
        results.complete()
    return finished


class _Found(NamedTuple):
    """A linear model, and what is to be thought of it."""

    fit: LinearFit
    verdict: Verdict
    refined: Refinement | None


def _fit(
    run: RunSpecBase,
    images: Observations,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> _Found:
    """Refine poses, fit a model, and judge it."""
    particles = images.particles
    power = window_power(run.preparation, particles.box_size_px)
    images, refined = refine(run, images, rows, power)
    keys = particle_keys(particles.tomogram, particles.name)
    n_searched = (run.latent.dim or MOST_LATENTS) + SPARE_LATENTS
    fit = fit_linear(
        images,
        rows,
        keyed_normal(run.seed or 0, "linear start", 0, keys, n_searched),
        n_latents=run.latent.dim,
        window_power=power,
        report=logger.info,
    )
    return _Found(fit, verdict_of(fit, images, rows, power, refined), refined)


def _halves(
    particles: ParticleSet, run: RunSpecBase
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the particles of two halves."""
    n_latents = run.latent.dim or 1
    return rows_of_halves(
        particles,
        run.seed or 0,
        needed=FEWEST_PER_LATENT * n_latents,
        what="1 latent dimension needs"
        if n_latents == 1
        else f"{n_latents} latent dimensions need",
        **({"way_out": "lower --zdim"} if n_latents > 1 else {}),
    )


def _write(
    outdir: Path,
    result: _Found,
    dataset: Dataset,
    facts: DatasetFacts,
    norm: tuple[float, float],
) -> None:
    """Write the model, its latents and its maps."""
    model = build_model(dataset.spec, dataset.registry, facts)
    model.load_state_dict({"decoder.maps": result.fit.maps.float().cpu()})
    _write_weights(outdir, model, norm)
    _write_latents(outdir, result.fit)
    _write_maps(outdir, result.fit, scale=norm[1], pixel_size_a=facts.pixel_size_a)


def _write_weights(outdir: Path, model: VolumeModel, norm: tuple[float, float]) -> None:
    checkpoint = Checkpoint(
        epoch=0,
        batches_done=None,
        model=model.state_dict(),
        optimizer=None,
        scaler=None,
        sums=[],
        norm=norm,
    )
    save_checkpoint(outdir / WEIGHTS, checkpoint)


def _write_latents(outdir: Path, found: LinearFit) -> None:
    """Means with logarithms of variances, as classic tools read them, and whole covariances."""
    covariance = found.latents.covariance.float().cpu()
    log_variance = covariance.diagonal(dim1=1, dim2=2).log().numpy()
    write_latents(outdir / LATENTS, found.latents.mean.float().cpu().numpy(), log_variance)
    buffer = io.BytesIO()
    np.save(buffer, covariance.numpy())
    write_bytes_atomic(outdir / COVARIANCE, buffer.getvalue())


def _write_maps(outdir: Path, found: LinearFit, *, scale: float, pixel_size_a: float) -> None:
    mean, *basis = found.maps
    first, second = found.half_maps
    named = {"": mean, "_half1": first, "_half2": second}
    paths = {outdir / f"reconstruct{name}.mrc": volume for name, volume in named.items()}
    paths |= {outdir / f"basis_{k:03d}.mrc": volume for k, volume in enumerate(basis)}
    for path, volume in paths.items():
        write_volume(path, (scale * volume).float().cpu().numpy(), pixel_size_a)


def _tell(outdir: Path, result: _Found, facts: DatasetFacts, seconds: float) -> None:
    """Say and write what was found."""
    found, verdict, refined = result
    n_shells = found.fsc.shape[1]
    length_a = facts.box_size_px * facts.pixel_size_a
    differ = verdict.is_heterogeneous(facts.n_particles)
    figures: dict[str, Any] = {
        "is_heterogeneous": differ,
        "n_latents": len(found.maps) - 1,
        "held_out": asdict(found.held_out),
        "verdict": asdict(verdict) | {"needed_z": verdict.needed_z},
        "refinement": None if refined is None else refined.figures(facts.pixel_size_a),
        "log_evidence_per_particle": found.evidence,
        "shells_of_latents": found.radius_px,
        "resolution_of_latents_a": length_a / found.radius_px,
        "fsc": found.fsc.tolist(),
        "resolution_a": [None, *(length_a / shell for shell in range(1, n_shells))],
        "seconds": round(seconds, 2),
        "microseconds_per_image": round(1e6 * seconds / facts.n_images, 1),
    }
    write_text_atomic(outdir / LINEAR, json.dumps(figures, indent=2) + "\n")
    for line in verdict.lines(facts.n_particles):
        logger.info("%s", line)
    logger.info(
        "%d latent dimensions of %d particles in %.1f s; results in %s",
        len(found.maps) - 1,
        facts.n_particles,
        seconds,
        outdir,
    )
