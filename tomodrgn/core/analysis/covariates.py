"""What is known of each particle besides its images: tomogram, defocus, dose, view and more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet

TOMOGRAM: Final = "tomogram"
CONTRAST: Final = "contrast"
"""Name of the covariate that comes from pixels."""


def particle_covariates(particles: ParticleSet) -> dict[str, NDArray[Any]]:
    """Covariates of B particles by name.

    Numbers are (B,), tomogram names (B,) str, the viewing direction (B, 3) unit vectors: the beam
    as the least exposed image of a particle sees it, in the coordinates of the reference.
    """
    found: dict[str, NDArray[Any]] = {TOMOGRAM: particles.tomogram.astype(str)}
    images, first = particles.images, particles.starts[:-1]
    if images.ctf is not None:
        defocus = 0.5 * (images.ctf.defocus_u_a + images.ctf.defocus_v_a)
        found["defocus (µm)"] = 1e-4 * _mean(particles, defocus)
        astigmatism = images.ctf.defocus_u_a - images.ctf.defocus_v_a
        found["astigmatism (µm)"] = 1e-4 * _mean(particles, np.abs(astigmatism))
    found["dose (e⁻/Å²)"] = _mean(particles, images.dose_e_per_a2)
    found["tilt images"] = particles.counts.astype(np.float64)
    found["viewing direction"] = images.rotation[first, 2].astype(np.float64)
    refined = particles.corrections
    if refined is not None:
        turned_deg = np.rad2deg(np.linalg.norm(refined.rotation_vector(), axis=1))
        moved_px = np.linalg.norm(refined.shift_px, axis=1)
        found["refined rotation (°)"] = turned_deg
        found["refined shift (Å)"] = particles.pixel_size_a * moved_px
        found["fitted contrast (log)"] = refined.log_scale
    if particles.position_a is not None:
        for axis, name in enumerate("xyz"):
            found[f"{name} in tomogram (Å)"] = particles.position_a[:, axis]
    return found


def _mean(particles: ParticleSet, values: NDArray[np.floating]) -> NDArray[np.float64]:
    """(B,) mean of (M,) values over the images of each particle."""
    sums = np.add.reduceat(values.astype(np.float64), particles.starts[:-1])
    means: NDArray[np.float64] = sums / particles.counts
    return means
