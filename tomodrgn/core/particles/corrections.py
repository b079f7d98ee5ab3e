"""What refinement changes of the poses and the contrast that a file states, and the table after it.

Corrections are always about the *stated* poses, however often they are refined, and never replace
them: a particle set with its corrections is a second table beside the first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """Corrections of B particles with M images.

    The image of a particle whose stated rotation (reference to image coordinates) is R has the
    rotation ``R M^T``; its content moves by the first two of ``R M^T d`` and by the shift of its
    tilt; its signal is ``exp(s + s_tilt)`` times as strong.

    Attributes:
        rotation: (B, 3, 3) float64 M, in the frame of the reference.
        shift_px: (B, 3) float64 d, in the frame of the reference.
        log_scale: (B,) float64 s.
        tilt_shift_px: (M, 2) float64, (x, y), the same in all images of one exposure.
        tilt_log_scale: (M,) float64, the same in all images of one exposure.
    """

    rotation: NDArray[np.float64]
    shift_px: NDArray[np.float64]
    log_scale: NDArray[np.float64]
    tilt_shift_px: NDArray[np.float64]
    tilt_log_scale: NDArray[np.float64]

    def of(self, particles: ParticleSet) -> ParticleSet:
        """A particle set as the corrections have it; the stated one is what was corrected."""
        owner = particles.particle_of_image
        rotation = particles.images.rotation @ self.rotation[owner].mT
        moved = np.einsum("mij,mj->mi", rotation[:, :2], self.shift_px[owner]) + self.tilt_shift_px
        scale = np.exp(self.log_scale[owner] + self.tilt_log_scale)
        images = replace(
            particles.images,
            rotation=rotation.astype(np.float32),
            further_shift_px=moved.astype(np.float32),
            scale=scale.astype(np.float32),
        )
        orientation, position_a = particles.orientation, particles.position_a
        if orientation is not None:
            orientation = orientation @ self.rotation.mT
            if position_a is not None:
                moved_px = np.einsum("bij,bj->bi", orientation, self.shift_px)
                position_a = position_a - particles.pixel_size_a * moved_px
        return replace(particles, images=images, orientation=orientation, position_a=position_a)

    def rotation_vector(self) -> NDArray[np.float64]:
        """(B, 3) axis times angle, in radians, of each M."""
        from scipy.spatial.transform import Rotation  # type: ignore[import-untyped]

        return np.asarray(Rotation.from_matrix(self.rotation).as_rotvec())


def no_corrections(particles: ParticleSet) -> Corrections:
    """Corrections that leave a particle set as it is."""
    n_particles, n_images = particles.n_particles, particles.n_images
    return Corrections(
        rotation=np.tile(np.eye(3), (n_particles, 1, 1)),
        shift_px=np.zeros((n_particles, 3)),
        log_scale=np.zeros(n_particles),
        tilt_shift_px=np.zeros((n_images, 2)),
        tilt_log_scale=np.zeros(n_images),
    )
