"""Sorting particles into classes: from a run spec to labels, posteriors and class maps."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tomodrgn.core.data.ctf_state import with_ctf_state
from tomodrgn.core.data.damaged import leave_out_damaged
from tomodrgn.core.data.describe import dataset_facts, describe_run
from tomodrgn.core.data.observing import observe, window_power
from tomodrgn.core.data.outlying import outliers_of, without_outliers, write_outliers
from tomodrgn.core.data.refining import refine, verdict_of_classes
from tomodrgn.core.data.run import Run
from tomodrgn.core.data.run_images import open_run_images
from tomodrgn.core.data.start import begin_run, choose_seed, find_start, set_results_aside
from tomodrgn.core.display import logging_to
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.invocation import text_of_call
from tomodrgn.core.linear.classes import ClassFit, first_halves, fit_classes
from tomodrgn.core.linear.classes_starts import (
    MAP_RESTARTS,
    start_from_chance,
    start_from_latents,
    start_from_rare,
    start_from_terms,
)
from tomodrgn.core.linear.fit import MOST_LATENTS, SPARE_LATENTS, Search, search_halves
from tomodrgn.core.linear.half_models import Halves, cores_for_halves
from tomodrgn.core.linear.rare import rare_probability
from tomodrgn.core.memory.work import linear_work
from tomodrgn.core.particles.identity import match_particles
from tomodrgn.core.particles.keyed_random import keyed_normal, particle_keys
from tomodrgn.core.particles.outliers_file import JUNK_CLASS
from tomodrgn.core.particles.splits import train_mask
from tomodrgn.core.products import CLASSES, LOG, OUTLIERS
from tomodrgn.core.reconstruction.halves import rows_of_halves
from tomodrgn.core.report.class_files import write_class_labels, write_class_maps
from tomodrgn.core.training.devices import Devices
from tomodrgn.plugins.commands.classify.report import draw_class_report

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.data.run_directory import DatasetFacts
    from tomodrgn.core.linear.classes_halves import ClassHalves
    from tomodrgn.core.linear.observations import Observations
    from tomodrgn.core.memory.footprint import Footprint
    from tomodrgn.core.outliers.found import Outliers
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.reconstruction.maps import HalvedMap
    from tomodrgn.core.refinement.rounds import Refinement
    from tomodrgn.core.refinement.verdict import Verdict
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.plugins.commands.classify.spec import ClassifySpec

logger = logging.getLogger(__name__)

_MIN_CLASSES: Final = 2
_MIN_PER_CLASS: Final = 4
_MASK_RADIUS: Final = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What is classified, and how."""

    spec: ClassifySpec
    run: RunSpecBase
    dataset: Dataset
    particles: ParticleSet
    rows: tuple[NDArray[np.int64], NDArray[np.int64]]
    is_trained: NDArray[np.bool_]
    facts: DatasetFacts

    @property
    def seed(self) -> int:
        return self.run.seed or 0

    @property
    def keys(self) -> NDArray[np.uint64]:
        return particle_keys(self.particles.tomogram, self.particles.name)


def classify(dataset: Dataset, spec: ClassifySpec) -> Run:
    """Classify particles and write the run directory.

    Args:
        dataset: what to classify: input, selection, preparation, image state and devices.
        spec: how many classes, where they start, and where to write them; the run directory is
            made where there is none.

    Raises:
        RunError: the directory already holds a run, or the run to start from cannot be used.
        DataError: the particles or their images cannot be used, or are too few.
        OutputError: the directory cannot be written.
    """
    began = time.perf_counter()
    run, outdir = dataset.spec, spec.outdir
    devices = Devices(run.devices, alone=True)
    if run.seed is None:
        run = run.model_copy(update={"seed": choose_seed(run, outdir, devices)})
    find_start(run, outdir, can_go_on=False)
    with logging_to(outdir / LOG, verbose=run.training.verbose) as begin_log:
        logger.info("%s", text_of_call())
        reader, particles = dataset.with_spec(run).selected
        run = with_ctf_state(run, particles)
        _begin(spec, dataset.replaced(run, reader, particles))
        results = begin_run(outdir, begin_log)
        work = _work(spec, run, particles, devices)
        images = open_run_images(run, reader, particles, outdir, devices, work=work)
        set_results_aside(results, run)
        run, particles, images = leave_out_damaged(run, particles, images, outdir, devices)
        dataset = dataset.replaced(run, reader, particles)
        task = _begin(spec, dataset)
        observed = observe(run, particles, images, task.is_trained, devices)
        power = window_power(run.preparation, particles.box_size_px)
        found, observed = _sort(task, observed, power)
        describe_run(outdir, dataset, facts=task.facts, images=images)
        write_class_labels(outdir, found.labels, found.fit.posterior)
        write_outliers(outdir, observed.particles, found.refined, found.outliers)
        maps = write_class_maps(
            outdir, observed, task.rows, found.fit.posterior, scale=images.norm[1]
        )
        _tell(outdir, found, maps, time.perf_counter() - began)
        finished = Run(outdir, dataset.registry, dataset=dataset)
        if run.training.report:
            draw_class_report(finished)
        results.complete()
    return finished


def _work(
    spec: ClassifySpec, run: RunSpecBase, particles: ParticleSet, devices: Devices
) -> Footprint:
    """Memory that classes take."""
    n_searched = 1 + MAP_RESTARTS * spec.n_classes if spec.start == "random" else None
    n_maps = 1 + spec.n_classes
    return linear_work(
        run, particles, devices.device, n_maps=n_maps, n_searched=n_searched, is_joint=False
    )


class _Sorted(NamedTuple):
    """Classes, and what is to be thought of them."""

    spec: ClassifySpec
    fit: ClassFit
    verdict: Verdict
    refined: Refinement | None
    outliers: Outliers

    @property
    def labels(self) -> NDArray[np.int64]:
        """(B,) class of each particle, that of junk where it is none."""
        return np.where(self.outliers.is_junk, JUNK_CLASS, self.fit.labels)


def _sort(task: _Task, images: Observations, power: float) -> tuple[_Sorted, Observations]:
    """Refine poses, sort particles into classes, and judge both."""
    images, refined = refine(task.run, images, task.rows, power)
    images = without_outliers(task.run, images, task.rows, power, refined)
    fit = _fit(task, images, power)
    models = fit.half_classes.maps, fit.half_classes.precision
    known = images.to_radius(fit.radius_px)
    found = _Sorted(
        spec=task.spec,
        fit=fit,
        verdict=verdict_of_classes(fit, images, task.rows, power, refined),
        refined=refined,
        outliers=outliers_of(known, task.rows, power, refined, models),
    )
    return found, images


def _begin(spec: ClassifySpec, dataset: Dataset) -> _Task:
    """What is to be classified; refused where it is too little."""
    run, particles = dataset.spec, dataset.particles
    is_trained = train_mask(particles, run.dataset.fraction_train, run.seed or 0)
    return _Task(
        spec=spec,
        run=run,
        dataset=dataset,
        particles=particles,
        rows=_halves(particles, run, spec.n_classes),
        is_trained=is_trained,
        facts=dataset_facts(particles, is_trained),
    )


def _halves(
    particles: ParticleSet, run: RunSpecBase, n_classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the particles of two halves."""
    return rows_of_halves(
        particles,
        run.seed or 0,
        needed=_MIN_PER_CLASS * n_classes,
        what=f"{n_classes} classes need",
        **({"way_out": "fewer classes (--n-classes)"} if n_classes > _MIN_CLASSES else {}),
    )


def _latents_of(task: _Task, directory: Path) -> NDArray[np.float32]:
    """Latents of the particles in a finished run, joined by their names."""
    results = Run(directory, task.dataset.registry)
    if results.z is None:
        raise RunError(
            f"{directory}: has no latents, as its model is of one structure; start from a run of "
            "train_vae or train_linear"
        )
    rows = match_particles(results.particles, task.particles)
    latents = np.asarray(results.z[rows], dtype=np.float32)
    n_bad = int((~np.isfinite(latents)).any(axis=1).sum())
    if n_bad:
        raise DataError(
            f"{directory}: latents of {n_bad} particles are not finite; train again, or start "
            "from another run"
        )
    return latents


def _fit(task: _Task, images: Observations, power: float) -> ClassFit:
    directory = task.spec.start_from
    latents = None if directory is None else _latents_of(task, directory)
    with cores_for_halves(images.device):
        halves = first_halves(images, task.rows, power)
        if latents is not None:
            shares = start_from_latents(latents, task.keys, task.spec.n_classes, task.seed)
            starts = [shares.to(images.device)]
        elif task.spec.start == "random":
            starts = [start_from_chance(halves, task.keys, task.spec.n_classes, task.seed)]
        else:
            halves, starts = _start_linear(task, halves, images)
    return fit_classes(halves, images, starts, task.keys, logger.info)


def _start_linear(
    task: _Task, halves: ClassHalves, images: Observations
) -> tuple[ClassHalves, list[Tensor]]:
    """Classes in the latents of a linear model of each half, at the resolution that shows them."""
    linear = Halves(halves.images, task.rows, halves.window_power)
    draws = keyed_normal(task.seed, "linear start", 0, task.keys, MOST_LATENTS + SPARE_LATENTS)
    stage = search_halves(linear, images, Search(draws, None, logger.info))
    passes = stage.halves.passes(stage.models.maps, stage.models.precision, collect=False)
    found, terms = stage.halves.in_order(passes)
    starts = [start_from_terms(terms, task.keys, task.spec.n_classes, task.seed)]
    if stage.held_out.has_rare:
        rare = rare_probability(found.mean, found.covariance)
        starts.append(start_from_rare(terms, rare, task.keys, task.spec.n_classes, task.seed))
    return halves.at(stage.halves.images), starts


def _tell(outdir: Path, found: _Sorted, maps: list[HalvedMap], seconds: float) -> None:
    """Say and write what was found."""
    spec, fit, verdict, labels = found.spec, found.fit, found.verdict, found.labels
    sizes = [int((labels == c).sum()) for c in range(spec.n_classes)]
    shown = fit.posterior.amax(1).cpu().numpy()
    sure = [float(shown[labels == c].mean()) if n else None for c, n in enumerate(sizes)]
    figures: dict[str, Any] = {
        "spec": spec.model_dump(mode="json"),
        "is_heterogeneous": verdict.is_heterogeneous(len(fit.posterior)),
        "sizes": sizes,
        "weights": fit.weights.tolist(),
        "mean_posterior": sure,
        "resolution_a": [each.resolution.resolution_a for each in maps],
        "held_out": asdict(fit.held_out),
        "verdict": verdict.figures(),
        "outliers": found.outliers.figures(),
        "log_likelihood_per_particle": fit.log_likelihood,
        "shells": fit.radius_px,
        "rounds": fit.rounds,
        "is_settled": fit.is_settled,
        "seconds": round(seconds, 2),
    }
    write_text_atomic(outdir / CLASSES, json.dumps(figures, indent=2) + "\n")
    logger.info("class  particles  posterior  resolution")
    for number, (size, probability, each) in enumerate(zip(sizes, sure, maps, strict=True)):
        text = "-" if probability is None else f"{probability:.3f}"
        logger.info("%5d  %9d  %9s  %s", number, size, text, each.resolution if size else "-")
    for line in found.outliers.lines(OUTLIERS):
        logger.info("%s", line)
    _judge(found)
    logger.info("%d particles in %.1f s; results in %s", len(fit.posterior), seconds, outdir)


def _judge(found: _Sorted) -> None:
    """Say whether there is more than one class."""
    n_particles = len(found.fit.posterior)
    what = f"{found.spec.n_classes} classes"
    if found.verdict.is_heterogeneous(n_particles):
        for line in found.verdict.lines(n_particles, what):
            logger.info("%s", line)
    else:
        [line] = found.verdict.lines(n_particles, what)
        logger.warning("%s; do not interpret these classes", line)
    if not found.fit.is_settled:
        logger.warning("some particles had not settled in a class when rounds ended")
