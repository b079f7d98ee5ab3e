"""The best that a classifier can do on simulated tilt series: it knows all but the class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.fourier.disc import images_to_disc, shift_phases
from tomodrgn.core.simulation.noise import noise_power

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.simulation.forward import Simulation


def most_likely_classes(simulation: Simulation, n_particles: int) -> NDArray[np.int64]:
    """Classes of maximal likelihood of the first particles, given their images and all else.

    The classifier knows maps, poses, motion, contrast, transfer, damage, surroundings and the color
    of the noise, and sees images as they were recorded. All classes are equally probable
    beforehand.

    Args:
        simulation: the particles; their images are rendered anew.
        n_particles: how many to classify.

    Returns:
        (n_particles,) int64.
    """
    experiment, n_classes = simulation.experiment, simulation.spec.class_count
    n_images = int(experiment.counts[:n_particles].sum())
    residual = np.zeros((n_classes, n_particles))
    precision = torch.from_numpy(1 / noise_power(simulation.disc, simulation.spec.noise_color))
    for block, images in simulation.record():
        rows = np.arange(block.start, min(block.stop, n_images))
        particle = experiment.particle_of_image[rows]
        observed = particles_alone(simulation, images[: len(rows)], rows)
        for label in range(n_classes):
            supposed = torch.full((len(rows),), label, dtype=torch.int64)
            error = (observed - simulation.expected(rows, supposed)).abs().square() @ precision
            residual[label] += np.bincount(particle, weights=error.numpy(), minlength=n_particles)
        if block.stop >= n_images:
            break
    return np.asarray(residual.argmin(axis=0), dtype=np.int64)


def particles_alone(
    simulation: Simulation, images: NDArray[np.float32], rows: NDArray[np.int64]
) -> torch.Tensor:
    """Recorded images without what surrounds their particles.

    Args:
        simulation: what was recorded.
        images: (m, D, D) before any treatment.
        rows: (m,) rows of these images.

    Returns:
        (m, P) coefficients of particles and noise at gain 1, particles centered.
    """
    disc = simulation.disc
    gain = simulation.experiment.gain[rows, None, None].astype(np.float32)
    alone = torch.from_numpy(images / gain - simulation.surroundings(rows))
    found = torch.view_as_complex(images_to_disc(alone, disc))
    shifts = torch.from_numpy(simulation.experiment.images.shift_px[rows])
    phases = shift_phases(torch.from_numpy(disc.k / disc.box_size_px), shifts)
    return found * phases
