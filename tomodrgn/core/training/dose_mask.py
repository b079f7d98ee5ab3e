"""How many coefficients of each image the loss keeps: a prefix, because dose weights fall."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.errors import DataError
from tomodrgn.core.physics.dose import optimal_dose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.fourier.disc import HalfPlaneDisc
    from tomodrgn.core.particles.tables import ParticleSet


def kept_coefficients(
    particles: ParticleSet, disc: HalfPlaneDisc, *, dose_mask: bool
) -> NDArray[np.int64]:
    """(M,) leading coefficients of each image that are used.

    With ``dose_mask`` those whose optimal dose is not exceeded, else all.

    Raises:
        DataError: an image has no coefficient left in any particle.
    """
    if not dose_mask:
        return np.full(particles.n_images, len(disc), dtype=np.int64)
    images = particles.images
    kept = np.zeros(particles.n_images, dtype=np.int64)
    freqs_per_a = torch.from_numpy(disc.radius_px) / (disc.box_size_px * particles.pixel_size_a)
    for voltage in np.unique(images.voltage_kv):
        rows = images.voltage_kv == voltage
        limit = optimal_dose(freqs_per_a, torch.tensor(float(voltage), dtype=torch.float64))
        # the optimal dose falls with radius: count the radii where it is at least the dose
        kept[rows] = np.searchsorted(-limit.numpy(), -images.dose_e_per_a2[rows], side="right")
    per_particle = np.add.reduceat(kept, particles.starts[:-1])
    if (per_particle == 0).any():
        name = particles.name[np.argmin(per_particle)]
        raise DataError(
            f"{particles.source}: the dose mask leaves no coefficient of particle {name}; "
            "check the dose column (rlnCtfBfactor / -4) or leave out --l-dose-mask"
        )
    return kept
