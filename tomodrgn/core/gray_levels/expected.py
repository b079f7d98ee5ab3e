"""The deviation that the background of treated images has by right.

Noise that was white when it was recorded has passed through the factor h of its image, so its
deviation is the root of the mean of h^2 over all frequencies of the image. Images that were
premultiplied, dose-weighted or tilt-weighted differ in it, and are not to be made alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.device_transfer import send_rows
from tomodrgn.core.physics.transfer import noise_transfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.particles.tables import ImageTable, OpticsGroup, ParticleSet

_N_FREQS: Final = 64
_IMAGES_AT_ONCE: Final = 2**14
_STEPS: Final = (0.7548776662466927, 0.5698402909980532)
_LEAST: Final = 1e-3


def expected_deviation(particles: ParticleSet) -> NDArray[np.float32]:
    """(M,) deviation of the background of each image, that of an untreated one being 1."""
    found = np.ones(particles.n_images, dtype=np.float32)
    treatments = ("ctf_premultiplied", "dose_weighted", "tilt_weighted")
    states = [group.state for group in particles.optics]
    if not any(getattr(state, name) for state in states for name in treatments):
        return found
    for start in range(0, particles.n_images, _IMAGES_AT_ONCE):
        rows = np.arange(start, min(start + _IMAGES_AT_ONCE, particles.n_images))
        images = send_rows(particles.images, rows, torch.device("cpu"))
        found[rows] = noise_deviation(images, particles.optics, particles.pixel_size_a).numpy()
    return found


def noise_deviation(
    images: ImageTable[Tensor], optics: Sequence[OpticsGroup], pixel_size_a: float
) -> Tensor:
    """(M,) deviation of noise that has passed through the factor h of M images, and was 1 before.

    Args:
        images: M images.
        optics: the groups that ``images.optics`` counts; they say what was done upstream.
        pixel_size_a: of the whole images, in angstrom.
    """
    freqs_per_a = torch.from_numpy(_freqs() / pixel_size_a)
    transfer = noise_transfer(images, freqs_per_a, optics)
    if transfer is None:
        return torch.ones(len(images))
    return transfer.square().mean(1).sqrt().clamp_min(_LEAST)


def _freqs() -> NDArray[np.float32]:
    """(n, 2) frequencies in cycles/px, even over those of a real image.

    Source:
        The additive recurrence R2 of M. Roberts, extremelearning.com.au, 2018: few points without
        a period that could agree with that of a contrast transfer function.
    """
    places = (0.5 + np.arange(_N_FREQS)[:, None] * np.array(_STEPS)) % 1
    freqs: NDArray[np.float32] = (places * (0.5, 1.0) - (0.0, 0.5)).astype(np.float32)
    return freqs
