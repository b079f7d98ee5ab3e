"""What refinement changes of the poses and the contrast that a file states, and the table after it.

A particle set with its corrections is a second table beside the first, which they never replace. A
file that was refined before states refined poses; by what they differ from those first stated is
:attr:`ParticleSet.corrections`, so that priors can be about the latter:
``found.after(particles.corrections)`` are corrections about them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet

_FLAT: Final = 1e-6
"""Smallest eigenvalue over the largest of a particle that is seen from more than one side."""


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
        if particles.images.further_shift_px is not None:
            moved += particles.images.further_shift_px
        scale = np.exp(self.log_scale[owner] + self.tilt_log_scale)
        if particles.images.scale is not None:
            scale *= particles.images.scale
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
        earlier = particles.corrections
        return replace(
            particles,
            images=images,
            orientation=orientation,
            position_a=position_a,
            corrections=self if earlier is None else self.after(earlier),
        )

    def after(self, earlier: Corrections) -> Corrections:
        """What both do together: ``self.of(earlier.of(particles))``, about the first poses."""
        turned = np.einsum("bij,bj->bi", self.rotation, earlier.shift_px)
        return Corrections(
            rotation=self.rotation @ earlier.rotation,
            shift_px=turned + self.shift_px,
            log_scale=self.log_scale + earlier.log_scale,
            tilt_shift_px=self.tilt_shift_px + earlier.tilt_shift_px,
            tilt_log_scale=self.tilt_log_scale + earlier.tilt_log_scale,
        )

    def take(self, particles: NDArray[np.int64], images: NDArray[np.int64]) -> Corrections:
        """Those at rows (b,) of particles and (m,) of images."""
        return Corrections(
            rotation=self.rotation[particles],
            shift_px=self.shift_px[particles],
            log_scale=self.log_scale[particles],
            tilt_shift_px=self.tilt_shift_px[images],
            tilt_log_scale=self.tilt_log_scale[images],
        )

    def spread(self, is_known: NDArray[np.bool_], exposure: NDArray[np.int64]) -> Corrections:
        """The same for all images of the particles, of which only some were refined.

        Others take the mean shift and contrast of their exposure.

        Args:
            is_known: (M,) which images were refined.
            exposure: (M,) exposure of each image.
        """
        values = np.column_stack([self.tilt_shift_px, self.tilt_log_scale])
        counts = np.bincount(exposure[is_known], minlength=int(exposure.max()) + 1)
        sums = np.zeros((len(counts), values.shape[1]))
        np.add.at(sums, exposure[is_known], values)
        every = (sums / np.maximum(counts, 1)[:, None])[exposure]
        every[is_known] = values
        return replace(self, tilt_shift_px=every[:, :2], tilt_log_scale=every[:, 2])

    def rescaled(self, factor: float) -> Corrections:
        """The same with shifts in other pixels, ``factor`` of them in one of these."""
        return replace(
            self,
            shift_px=self.shift_px * factor,
            tilt_shift_px=self.tilt_shift_px * factor,
        )

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


def corrections_between(
    stated: NDArray[np.floating],
    refined: NDArray[np.floating],
    moved_px: NDArray[np.floating],
    starts: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """M (B, 3, 3) and d (B, 3) of particles whose images were refined from one pose to another.

    All images of a particle are fitted alike, by least squares; d has no part along the beam where
    all of them look the same way.

    Args:
        stated: (M, 3, 3) rotations before, reference to image coordinates.
        refined: (M, 3, 3) after.
        moved_px: (M, 2) by which contents move further, without the shifts of tilts.
        starts: (B,) first image of each particle, which has one or more.
    """
    turned = np.add.reduceat(refined.mT.astype(np.float64) @ stated, starts)
    u, _, vt = np.linalg.svd(turned)
    ones = np.ones((len(u), 3))
    ones[:, 2] = np.sign(np.linalg.det(u @ vt))
    plane = refined[:, :2].astype(np.float64)
    square = np.add.reduceat(plane.mT @ plane, starts)
    projected = np.add.reduceat(np.einsum("mij,mi->mj", plane, moved_px), starts)
    inverse = np.linalg.pinv(square, rcond=_FLAT, hermitian=True)
    return (u * ones[:, None]) @ vt, np.einsum("bij,bj->bi", inverse, projected)
