"""The images of a run as linear models see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.data.parts import run_disc
from tomodrgn.core.linear.observations import Observations
from tomodrgn.core.particles.selection import take_images
from tomodrgn.core.physics.windows import circular_window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.data.run_images import RunImages
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.dataset import PreparationSpec
    from tomodrgn.core.specs.run import RunSpecBase
    from tomodrgn.core.training.devices import Devices


def observe(
    run: RunSpecBase,
    particles: ParticleSet,
    images: RunImages,
    is_trained: NDArray[np.bool_],
    devices: Devices,
) -> Observations:
    """All coefficients of the images (M,) that a run does not hold out, where it computes."""
    disc = run_disc(run, particles.box_size_px)
    return Observations(
        take_images(particles, is_trained, "held out"),
        disc,
        images.source,
        images.cache_rows[is_trained],
        radius_px=int(np.ceil(disc.radius_px[-1])),
        device=devices.device,
    )


def window_power(preparation: PreparationSpec, box_size_px: int) -> float:
    """Mean square of the window of the images."""
    if not preparation.window:
        return 1.0
    inner, outer = preparation.window_r, preparation.window_r_outer
    window = circular_window(box_size_px, inner=inner, outer=outer)
    return float(window.square().mean())
