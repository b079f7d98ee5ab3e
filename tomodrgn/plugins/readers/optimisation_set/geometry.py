"""Poses, shifts and heights of the tilt images of a set, from particles and tilt series.

The image of a particle is extracted where its coordinate projects to, so that its shift is the
projection of its origin, less that of its motion. Where it lies along the beam changes its defocus:
RELION adds ``rlnTomoHand`` times the height, WarpTools subtracts it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from tomodrgn.core.geometry.projections import heights_a, shifts_a

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.plugins.readers.optimisation_set.packed_frames import PackedFrames
    from tomodrgn.plugins.readers.optimisation_set.particles import SetParticles
    from tomodrgn.plugins.readers.optimisation_set.tomograms import Tomograms

_IMAGES_PER_CHUNK: Final = 1 << 17
"""Bounds the memory of intermediate float64 matrices."""


@dataclass(frozen=True, kw_only=True)
class ImageGeometry:
    """What the tilt images look at: (M, 3, 3), (M, 2) and (M,) float32; see ``ImageTable``."""

    rotation: NDArray[np.float32]
    shift_a: NDArray[np.float32]
    height_a: NDArray[np.float32]

    def moved(self, moved_a: NDArray[np.float64]) -> ImageGeometry:
        """The same with contents that move further by (M, 2)."""
        return replace(self, shift_a=self.shift_a + moved_a.astype(np.float32))


def image_geometry(
    packed: PackedFrames,
    particles: SetParticles,
    frame_rotation: NDArray[np.float64],
    motion_a: NDArray[np.float32] | None,
) -> ImageGeometry:
    """Pose, shift and height of each tilt image; heights are 0 where places are unknown.

    Args:
        packed: M images.
        particles: B particles.
        frame_rotation: (F, 3, 3) tomogram to image coordinates, for all tilt images.
        motion_a: (entries, 3) motion of particles in the frames of their lists, or None.
    """
    origin_a, offset_a = particles.origin_a, particles.places.offset_a
    n_images = len(packed.entry)
    rotation = np.empty((n_images, 3, 3), dtype=np.float32)
    shift_a = np.empty((n_images, 2), dtype=np.float32)
    height_a = np.zeros(n_images, dtype=np.float32)
    for start in range(0, n_images, _IMAGES_PER_CHUNK):
        rows = slice(start, start + _IMAGES_PER_CHUNK)
        particle = packed.particle[rows]
        projection = frame_rotation[packed.tilt[rows]]
        rotation[rows] = projection @ particles.orientation[particle]
        moved_a = 0.0 if motion_a is None else motion_a[packed.entry[rows]]
        shift_a[rows] = shifts_a(projection, origin_a[particle] - moved_a)
        if offset_a is not None:
            height_a[rows] = heights_a(projection, offset_a[particle] + moved_a)
    return ImageGeometry(rotation=rotation, shift_a=shift_a, height_a=height_a)


def height_signs(
    choice: Literal["auto", "plus", "minus", "none"], tomograms: Tomograms
) -> tuple[NDArray[np.float64], str]:
    """(T,) factor with which heights add to the defocus, and why in a few words.

    Source:
        RELION 5 (doi:10.1002/2211-5463.13873): hand times slope; Warp (doi:10.1038/
        s41592-019-0580-y): heights add in a tilt series as recorded, which has hand -1, and are
        subtracted where its angles were inverted.
    """
    ones = np.ones(len(tomograms.names))
    match choice:
        case "plus":
            return ones, "as chosen"
        case "minus":
            return -ones, "as chosen"
        case "none":
            return 0 * ones, "as chosen"
        case _ if tomograms.is_warptools:
            return -tomograms.hand, "-rlnTomoHand, as WarpTools wrote the set"
        case _:
            return tomograms.hand * tomograms.defocus_slope, "rlnTomoHand, as RELION wrote the set"
