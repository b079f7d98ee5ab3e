"""Outliers of a run: looked for, said, and written beside its results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.linear.fit import FIRST_RADIUS_PX
from tomodrgn.core.linear.half_models import Halves, cores_for_halves
from tomodrgn.core.outliers.found import Outliers, find_outliers
from tomodrgn.core.outliers.goodness import goodness
from tomodrgn.core.particles import outliers_file as file
from tomodrgn.core.particles.corrections import no_corrections
from tomodrgn.core.particles.exposures import distinct_exposures
from tomodrgn.core.refinement.moves import errors_back
from tomodrgn.core.refinement.steps import Widths

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.linear.observations import Observations
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.refinement.rounds import Refinement
    from tomodrgn.core.specs.run import RunSpecBase


def outliers_of(
    images: Observations,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    window_power: float,
    refined: Refinement | None,
    models: tuple[Tensor, Tensor] | None = None,
) -> Outliers:
    """What is no particle, each judged by maps of the half that it does not belong to.

    Args:
        images: in the poses that are used, up to the shells of the maps.
        rows: (n,) particles of each of two halves.
        window_power: mean square of the window of the images.
        refined: errors that were found; None where nobody looked.
        models: maps (2, 1 + K, D, D, D) of the halves and the precision (shells,) of the noise;
            None for mean maps, which are made.
    """
    halves = Halves(images, rows, window_power)
    with cores_for_halves(images.device):
        maps, precision = halves.mean_maps()[:2] if models is None else models
        widths = Widths(0.0, 0.0, 0.0) if refined is None else refined.widths
        known = images.particles.corrections
        stated = errors_back(known or no_corrections(images.particles))
        return find_outliers(goodness(halves, maps, precision, widths, stated))


def without_outliers(
    run: RunSpecBase,
    images: Observations,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    window_power: float,
    refined: Refinement | None,
) -> Observations:
    """The images with particles counting in fits as the run has it for outliers.

    Args:
        run: says how.
        images: in the poses that are used.
        rows: (n,) particles of each of two halves.
        window_power: mean square of the window of the images.
        refined: errors that were found; None where nobody looked.
    """
    if run.refinement.outliers == "report":
        return images
    radius_px = min(FIRST_RADIUS_PX, images.radius_px)
    if refined is not None and refined.is_used:
        radius_px = refined.radius_px
    found = outliers_of(images.to_radius(radius_px), rows, window_power, refined)
    weights = found.weights(run.refinement.outliers)
    return images if weights is None else images.weighted(torch.from_numpy(weights))


def write_outliers(
    outdir: Path,
    particles: ParticleSet,
    refined: Refinement | None,
    found: Outliers,
    rare: NDArray[np.float64] | None = None,
) -> None:
    """Write what was found beside the results of a run.

    Args:
        outdir: the run directory.
        particles: of the run, with the images that were fitted, in the poses that were used.
        refined: errors of these; None where nobody looked.
        found: outliers among them.
        rare: (B,) probability of each to be of a rare state, where there is one.
    """
    good = found.goodness
    columns = {
        file.JUNK_PROBABILITY: found.probability,
        file.AMPLITUDE: good.amplitude,
        file.AMPLITUDE_ERROR: good.error,
        file.RESIDUAL: good.residual,
        file.POSE_DEVIATION: _deviation(particles, refined),
    }
    if rare is not None:
        columns[file.RARE_PROBABILITY] = rare
    file.write_outliers(outdir, particles, columns, file.groups_of(columns))
    tilts = {
        file.N_SHOWN: good.n_shown,
        file.JUNK_PROBABILITY: found.tilt_probability,
        file.AMPLITUDE: good.tilt_amplitude,
        file.AMPLITUDE_ERROR: good.tilt_error,
        file.RESIDUAL: good.tilt_residual,
    }
    file.write_outlier_tilts(outdir, particles, distinct_exposures(particles)[1], tilts)


def _deviation(particles: ParticleSet, refined: Refinement | None) -> NDArray[np.float64]:
    """(B,) root mean square of corrections of the pose, over the widths of such errors."""
    known = particles.corrections
    if known is None or refined is None or not refined.is_used:
        return np.zeros(particles.n_particles)
    widths = refined.widths.of_errors().numpy()[1:]
    found = errors_back(known).numpy()[:, 1:][:, widths > 0] / widths[widths > 0]
    return np.asarray(np.sqrt(np.square(found).sum(1) / max(int((widths > 0).sum()), 1)))
