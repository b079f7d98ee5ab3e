"""The particles of a training in refined poses: those of its start, or found for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomodrgn.core.data.observing import observe
from tomodrgn.core.data.refining import as_refined, refine_run
from tomodrgn.core.particles.corrections_file import read_corrections, write_corrections
from tomodrgn.core.particles.outliers_file import copy_outliers
from tomodrgn.core.particles.splits import train_mask
from tomodrgn.plugins.commands.train.warm import WarmStart

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.data.run_images import RunImages
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.training.devices import Devices


def refined_particles(
    dataset: Dataset,
    images: RunImages,
    outdir: Path,
    devices: Devices,
    start: WarmStart | bool,
) -> ParticleSet:
    """The particles of a run in refined poses, or as stated where these are no better.

    A run that goes on has its own, one that starts from a linear model those of this model.

    Args:
        dataset: of the run.
        images: of its particles.
        outdir: the run directory.
        devices: where to compute.
        start: the linear model that a new run starts from; True for none, False for a run that
            goes on.
    """
    particles, folder = dataset.particles, outdir
    if isinstance(start, WarmStart):
        folder = start.find(outdir, devices)
    elif start:
        devices.on_main(lambda: _refine(dataset, images, outdir, devices))
    with devices.agreement():
        refined = as_refined(folder, particles)
    if refined is not particles and folder != outdir:
        devices.on_main(
            lambda: write_corrections(outdir, particles, read_corrections(folder, particles))
        )
    if folder != outdir:
        devices.on_main(lambda: copy_outliers(folder, outdir, particles))
    return refined


def _refine(dataset: Dataset, images: RunImages, outdir: Path, devices: Devices) -> None:
    run, particles = dataset.spec, dataset.particles
    is_trained = train_mask(particles, run.dataset.fraction_train, run.seed or 0)
    observed = observe(run, particles, images, is_trained, devices)
    refine_run(run, observed, particles, is_trained, outdir)
