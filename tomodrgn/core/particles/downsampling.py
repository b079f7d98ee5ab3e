"""Particles as they are with images on fewer pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tomodrgn.core.particles.tables import ParticleSet


def downsample_particles(particles: ParticleSet, box_size_px: int) -> ParticleSet:
    """The set with images of another box and the same field of view.

    Only what is counted in pixels changes: the box, the pixel size, and the shifts.
    """
    scale = box_size_px / particles.box_size_px
    groups = (
        replace(group, box_size_px=box_size_px, pixel_size_a=group.pixel_size_a / scale)
        for group in particles.optics
    )
    shift_px = (particles.images.shift_px * scale).astype(np.float32)
    images = replace(particles.images, shift_px=shift_px)
    refined = particles.corrections
    return replace(
        particles,
        optics=tuple(groups),
        images=images,
        corrections=None if refined is None else refined.rescaled(scale),
    )
