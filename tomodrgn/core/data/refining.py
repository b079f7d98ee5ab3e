"""The images of a run with their poses refined, where that is asked for and worth it."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.analysis.covariate_regression import covariate_shares
from tomodrgn.core.analysis.covariates import particle_covariates
from tomodrgn.core.data.observing import window_power
from tomodrgn.core.linear.half_models import Halves
from tomodrgn.core.ownership.undamaged import require_as_made
from tomodrgn.core.particles.corrections import no_corrections
from tomodrgn.core.particles.corrections_file import (
    error_columns,
    read_corrections,
    write_corrections,
)
from tomodrgn.core.particles.exposures import distinct_exposures
from tomodrgn.core.particles.half_sets import halves_of_particles
from tomodrgn.core.products import REFINED_POSES, REFINED_TILTS
from tomodrgn.core.refinement.class_verdict import ClassMaps, judge_classes
from tomodrgn.core.refinement.moves import errors_back
from tomodrgn.core.refinement.rounds import Refinement, refine_poses, width_of_errors
from tomodrgn.core.refinement.verdict import Verdict, judge

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.classes import ClassFit
    from tomodrgn.core.linear.fit import LinearFit
    from tomodrgn.core.linear.observations import Observations
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.refinement.steps import Widths
    from tomodrgn.core.specs.run import RunSpecBase

logger = logging.getLogger(__name__)

MIN_PER_HALF: Final = 8
"""Particles of a half with fewer of which maps say nothing of poses."""


def refine(
    run: RunSpecBase,
    images: Observations,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    window_power: float,
) -> tuple[Observations, Refinement | None]:
    """The images in refined poses, and what was found; what was decided is logged.

    Args:
        run: says whether to refine.
        images: in the poses that the input states.
        rows: (n,) particles of each of two halves.
        window_power: mean square of the window of the images.
    """
    if run.refinement.poses == "off" or images.particles.images.further_shift_px is not None:
        return images, None  # not asked for, or done for a run already
    if min(len(part) for part in rows) < MIN_PER_HALF:
        logger.info(
            "poses are left as stated: maps of fewer than %d particles say nothing of them",
            MIN_PER_HALF,
        )
        return images, None
    began = time.perf_counter()
    always = run.refinement.poses == "on"
    found = refine_poses(images, rows, window_power, logger.info, always=always)
    seconds = time.perf_counter() - began
    logger.info("%s (%.1f s)", _decision(found), seconds)
    if not found.is_used:
        return images, found
    return images.of(found.corrections.of(images.particles)), found


def write_refined(
    outdir: Path,
    particles: ParticleSet,
    is_trained: NDArray[np.bool_],
    found: Refinement,
    *,
    prefix: str = "",
) -> None:
    """Write the corrections of a run beside its results, if they are worth it.

    Args:
        outdir: the run directory.
        particles: of the run, as the input states them.
        is_trained: (M,) which of their images were refined.
        found: the corrections of these.
        prefix: of the names of the files.
    """
    if not found.is_used:
        return
    corrections = found.corrections.spread(is_trained, distinct_exposures(particles)[1])
    errors = error_columns(found.covariance.numpy(), particles.pixel_size_a)
    write_corrections(
        outdir, particles, corrections, half=found.half_set, of_particles=errors, prefix=prefix
    )


def refine_run(
    run: RunSpecBase,
    images: Observations,
    particles: ParticleSet,
    is_trained: NDArray[np.bool_],
    outdir: Path,
) -> None:
    """Refine the poses of a run and write their corrections beside its results, if worth it.

    Args:
        run: says whether to refine.
        images: that the run does not hold out.
        particles: of the run, with M images.
        is_trained: (M,) which of them these are.
        outdir: the run directory.
    """
    if run.refinement.poses == "off":
        return
    half = halves_of_particles(particles, np.zeros(particles.n_particles, np.int64), run.seed or 0)
    rows = np.flatnonzero(half == 0), np.flatnonzero(half == 1)
    power = window_power(run.preparation, particles.box_size_px)
    _, found = refine(run, images, rows, power)
    if found is not None:
        write_refined(outdir, particles, is_trained, found)


def as_refined(folder: Path, particles: ParticleSet, *, prefix: str = "") -> ParticleSet:
    """Particles in the poses whose corrections lie in a folder; as they are where there are none.

    Args:
        folder: of the corrections.
        particles: as the input states them.
        prefix: of the names of the files.

    Raises:
        DataError: the corrections are damaged, or not those of these particles.
    """
    poses, tilts = (folder / f"{prefix}{name}" for name in (REFINED_POSES, REFINED_TILTS))
    if not poses.exists() or particles.images.further_shift_px is not None:
        return particles
    require_as_made(poses)
    require_as_made(tilts)
    return read_corrections(folder, particles, prefix=prefix).of(particles)


def verdict_of(
    fit: LinearFit,
    images: Observations,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    window_power: float,
    refined: Refinement | None,
) -> Verdict:
    """Whether particles differ beyond errors of their poses.

    Args:
        fit: a linear model of the images.
        images: that it was fitted to.
        rows: (n,) particles of each of two halves.
        window_power: mean square of the window of the images.
        refined: errors that were found; None where nobody looked.
    """
    widths, stated = errors_of(images, rows, window_power, refined)
    halves = Halves(images.to_radius(fit.radius_px), rows, window_power)
    verdict = judge(halves, fit.half_models, widths, stated)
    strength = fit.maps[1:].flatten(1).norm(dim=1)
    return with_sources(verdict, (fit.latents.mean * strength).cpu().numpy(), images.particles)


def verdict_of_classes(
    fit: ClassFit,
    images: Observations,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    window_power: float,
    refined: Refinement | None,
) -> Verdict:
    """Whether classes are more than errors of poses; the other arguments as in `verdict_of`."""
    widths, stated = errors_of(images, rows, window_power, refined)
    halves = Halves(images.to_radius(fit.radius_px), rows, window_power)
    models = fit.half_classes
    classes = ClassMaps(models.maps, models.precision, models.weights)
    verdict = judge_classes(halves, classes, widths, stated)
    strength = models.maps[:, 1:].mean(0).flatten(1).norm(dim=1)
    return with_sources(verdict, (fit.posterior * strength).cpu().numpy(), images.particles)


def with_sources(
    verdict: Verdict, coordinates: NDArray[np.floating], particles: ParticleSet
) -> Verdict:
    """With what predicts how particles differ, given coordinates (B, Z) of a common unit."""
    return replace(verdict, sources=covariate_shares(coordinates, particle_covariates(particles)))


def errors_of(
    images: Observations,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    window_power: float,
    refined: Refinement | None,
) -> tuple[Widths, Tensor]:
    """How wide errors may be, and those (B, 7) by which particles would be as stated first."""
    if refined is None:
        found = images.particles.corrections
        widths = width_of_errors(images, rows, window_power)
        if found is not None:
            widths = widths.wider(errors_back(found))
        return widths, errors_back(found or no_corrections(images.particles))
    total = images.particles.corrections if refined.is_used else None
    return refined.widths, errors_back(total or no_corrections(images.particles))


def _decision(found: Refinement) -> str:
    gain = f"{float(found.gain.mean()):.2f} per particle, {found.z:.1f} standard errors"
    if found.is_used:
        return f"refined poses are used: log likelihood with maps of the other half +{gain}"
    if found.rounds:
        return (
            "poses are left as stated: refined ones do not agree better with maps of the other "
            f"half (log likelihood {gain})"
        )
    turn_deg = float(np.degrees(_median_error(found, slice(4, 7))))
    return (
        "poses are left as stated: they agree with the images, which would show errors of "
        f"{turn_deg:.1f} degrees and {_median_error(found, slice(1, 4)):.1f} px of one particle "
        f"(log evidence of errors {gain})"
    )


def _median_error(found: Refinement, kind: slice) -> float:
    """What is not known of the errors of a particle, along one axis."""
    variance = found.covariance.diagonal(dim1=1, dim2=2)[:, kind]
    return float(variance.mean(1).sqrt().median())
