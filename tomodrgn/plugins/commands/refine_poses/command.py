"""Refining poses: from a run spec to the input with refined poses, and their corrections."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.data.ctf_state import with_ctf_state
from tomodrgn.core.data.damaged import leave_out_damaged
from tomodrgn.core.data.describe import dataset_facts, describe_run
from tomodrgn.core.data.observing import observe, window_power
from tomodrgn.core.data.refining import MIN_PER_HALF
from tomodrgn.core.data.run_images import open_run_images
from tomodrgn.core.data.start import begin_run, choose_seed, find_start, set_results_aside
from tomodrgn.core.display import logging_to
from tomodrgn.core.errors import DataError, SpecError
from tomodrgn.core.files.named_files import stack_folder, stack_of_image
from tomodrgn.core.interfaces import PoseWriter, ReaderContext
from tomodrgn.core.invocation import text_of_call
from tomodrgn.core.memory.work import linear_work
from tomodrgn.core.particles.corrections_file import error_columns, write_corrections
from tomodrgn.core.particles.splits import train_mask
from tomodrgn.core.products import LOG, REFINED_PARTICLES
from tomodrgn.core.reconstruction.halves import rows_of_halves
from tomodrgn.core.refinement import rounds
from tomodrgn.core.training.devices import Devices
from tomodrgn.plugins.commands.refine_poses.page import PoseFinding

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.interfaces import WrittenPoses
    from tomodrgn.core.linear.observations import Observations
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.refinement.rounds import Refinement
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.plugins.commands.refine_poses.spec import PosesSpec

logger = logging.getLogger(__name__)

_N_MAPS: Final = 8
"""The consensus map and what it changes by: contrast, shifts and turns."""


def refine_poses(dataset: Dataset, spec: PosesSpec) -> PoseFinding:
    """Refine poses and contrast, and write the input with them, and the corrections.

    Args:
        dataset: what to refine: input, selection, preparation, image state and devices.
        spec: when, and where to; the folder is made where there is none.

    Raises:
        RunError: the directory already holds a run.
        SpecError: poses are not to be refined.
        DataError: the particles or their images cannot be used, are too few, or cannot be written.
        OutputError: the directory cannot be written.
    """
    began = time.perf_counter()
    run, outdir = dataset.spec, spec.outdir
    if run.refinement.poses == "off":
        raise SpecError("refinement.poses: off leaves nothing to do; give auto or on")
    devices = Devices(run.devices, alone=True)
    if run.seed is None:
        run = run.model_copy(update={"seed": choose_seed(run, outdir, devices)})
    find_start(run, outdir, can_go_on=False)
    with logging_to(outdir / LOG, verbose=run.training.verbose) as begin_log:
        logger.info("%s", text_of_call())
        writer = _writer(dataset)
        reader, particles = dataset.with_spec(run).selected
        run = with_ctf_state(run, particles)
        _halves(particles, run)
        results = begin_run(outdir, begin_log)
        work = linear_work(run, particles, devices.device, n_maps=_N_MAPS, is_joint=False)
        images = open_run_images(run, reader, particles, outdir, devices, work=work)
        set_results_aside(results, run)
        run, particles, images = leave_out_damaged(run, particles, images, outdir, devices)
        is_trained = train_mask(particles, run.dataset.fraction_train, run.seed or 0)
        facts = dataset_facts(particles, is_trained)
        describe_run(outdir, dataset.replaced(run, reader, particles), facts=facts, images=images)
        observed = observe(run, particles, images, is_trained, devices)
        finding = _refine(run, spec, observed, writer)
        logger.info("%d particles in %.1f s", particles.n_particles, time.perf_counter() - began)
        results.complete()
    return finding


def _refine(
    run: RunSpecBase, spec: PosesSpec, images: Observations, writer: PoseWriter
) -> PoseFinding:
    """Refine, and write the input with refined poses, and what was found."""
    particles, rows, outdir = images.particles, _halves(images.particles, run), spec.outdir
    power = window_power(run.preparation, particles.box_size_px)
    found = rounds.refine_poses(
        images, rows, power, logger.info, always=run.refinement.poses == "on"
    )
    _write_tables(outdir, particles, found, rows)
    written = writer.write_poses(particles, found.corrections, outdir / REFINED_PARTICLES)
    _tell_files(written, particles, run)
    files = tuple(str(path) for path in written.files)
    finding = PoseFinding(found, particles.pixel_size_a, files, written.not_written)
    finding.write(outdir)
    return finding


def _writer(dataset: Dataset) -> PoseWriter:
    """What writes the format of the input."""
    reader = dataset.registry.build(dataset.spec.reader, ReaderContext(needs_images=False))
    if not isinstance(reader, PoseWriter):
        raise DataError(
            f"{dataset.everything[1].source}: the reader {dataset.spec.reader.kind} cannot write "
            "poses; train with --refine-poses instead, which refines them for the run alone"
        )
    return reader


def _halves(
    particles: ParticleSet, run: RunSpecBase
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the particles of two halves."""
    return rows_of_halves(
        particles, run.seed or 0, needed=MIN_PER_HALF, what="refinement of poses needs"
    )


def _write_tables(
    outdir: Path,
    particles: ParticleSet,
    found: Refinement,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> None:
    """Write corrections, with what is not known of them."""
    half = np.ones(particles.n_particles, dtype=np.int64)
    half[rows[1]] = 2
    columns: dict[str, NDArray[Any]] = {
        **error_columns(found.covariance.cpu().numpy(), particles.pixel_size_a),
        "tdgnGain": found.gain.cpu().numpy(),
    }
    write_corrections(outdir, particles, found.corrections, half=half, of_particles=columns)


def _tell_files(written: WrittenPoses, particles: ParticleSet, run: RunSpecBase) -> None:
    """Say what the files state now, what they could not hold, and where their images are."""
    changed = ", ".join(written.changed)
    if changed:
        logger.info(
            "%s: written with refined poses (%s); all other values stay, and what was stated first "
            "is kept in columns named tdgnStated...", written.files[0], changed,
        )  # fmt: skip
    else:
        logger.info("%s: written, with every value as it was", written.files[0])
    for fault in written.not_written:
        logger.warning("%s: not written: %s", written.files[0], fault)
    first = stack_of_image(str(particles.image_name[0]))
    folder = stack_folder(first, particles.source, getattr(run.reader, "datadir", None))
    if stack_folder(first, written.files[0], None).resolve() != folder.resolve():
        logger.info(
            "paths of images stay as written and do not lead from %s to %s; give --datadir %s to "
            "later commands", written.files[0].parent, first, folder,
        )  # fmt: skip
