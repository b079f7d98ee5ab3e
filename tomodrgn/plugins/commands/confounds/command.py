"""Is the latent structure, or tomogram, defocus, dose, tilt count, view or contrast?"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.analysis.covariates import CONTRAST, particle_covariates
from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.ownership.results import begin_results
from tomodrgn.core.particles.outliers_file import outlier_covariates
from tomodrgn.core.products import CONFOUNDS, CONFOUNDS_PICTURE
from tomodrgn.core.report.drawing import drawing
from tomodrgn.plugins.commands.confounds.explained_variance import MAX_PARTICLES, nuisance_report

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.data.run import Run
    from tomodrgn.plugins.commands.confounds.page import NuisanceReport
    from tomodrgn.plugins.commands.confounds.spec import NuisanceSpec

logger = logging.getLogger(__name__)

_IMAGES_AT_ONCE: Final = 256


def nuisance(run: Run, spec: NuisanceSpec) -> NuisanceReport:
    """Say what explains the latent of a run, in a table, a picture and words.

    Raises:
        RunError: there is no finished run, or it has no latents.
        DataError: there are too few particles to tell.
    """
    report = report_nuisance(run, images=spec.images, seed=spec.seed)
    outdir = spec.outdir or run.directory / CONFOUNDS.parent
    write_nuisance(outdir, report)
    return report


def report_nuisance(run: Run, *, images: bool, seed: int = 0) -> NuisanceReport:
    """What explains the latent of a run.

    Args:
        run: the run.
        images: read an image of each particle looked at; without it contrast is not looked at.
        seed: of the particles looked at and of the shuffles.

    Raises:
        RunError: the run has no latents.
        DataError: there are too few particles to tell.
    """
    latents, particles = run.z, run.particles
    if latents is None:
        raise RunError(f"{run.directory}: is a model of one structure and has no latents")
    covariates = particle_covariates(particles)
    covariates |= outlier_covariates(run.directory, particles)
    covariates |= dict(run.registry.additions("covariate", run))
    if images and particles.n_images:
        contrast = _contrast(run, seed)
        if contrast is not None:
            covariates[CONTRAST] = contrast
    report = nuisance_report(latents, covariates, seed=seed)
    if report is None:
        raise DataError(
            f"{run.directory}: {len(latents)} particles are too few to tell what "
            "explains their latents; 20 are needed"
        )
    return report


def write_nuisance(outdir: Path, report: NuisanceReport) -> None:
    """Write the report as JSON, as a page and as a picture."""
    begin_results(outdir)
    report.write(outdir)
    if report.influences:
        with drawing(CONFOUNDS_PICTURE.name):
            report.draw(outdir / CONFOUNDS_PICTURE.name)


def _contrast(run: Run, seed: int) -> NDArray[np.float64] | None:
    """(B,) standard deviation of the least exposed image; NaN where it is not looked at."""
    particles = run.particles
    rows = np.arange(particles.n_particles)
    if len(rows) > MAX_PARTICLES:  # the same particles as the report
        generator = np.random.default_rng(seed)
        rows = np.sort(generator.choice(len(rows), MAX_PARTICLES, replace=False))
    contrast = np.full(particles.n_particles, np.nan)
    try:
        reader = run.image_reader()
        for first in range(0, len(rows), _IMAGES_AT_ONCE):
            block = rows[first : first + _IMAGES_AT_ONCE]
            pixels = reader.load_images(particles.source_image[particles.starts[block]])
            contrast[block] = pixels.reshape(len(block), -1).std(axis=1)
    except DataError as error:
        logger.warning("contrast is not looked at: %s", error)
        return None
    return contrast
