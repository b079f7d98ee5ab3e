"""What real tilt series have wrong or otherwise than the model says: a part of a simulation.

All default to none, and then change nothing.
"""

from __future__ import annotations

from pydantic import NonNegativeFloat

from tomodrgn.core.specs.base import Spec


class FlawsSpec(Spec):
    """What is wrong with images and with what files state of them."""

    contrast_particle_log_std: NonNegativeFloat = 0.0
    """Standard deviation of the log of the contrast of each particle, a factor of its signal."""
    contrast_tilt_log_std: NonNegativeFloat = 0.0
    """The same of each exposure, shared by the particles of its tomogram."""
    contrast_tilt_falloff: NonNegativeFloat = 0.0
    """Thickness of the specimen in mean free paths: its growth with tilt lowers the signal to
    exp(-thickness * (1 / cos(tilt) - 1))."""
    contrast_tomogram_log_std: NonNegativeFloat = 0.0
    """Standard deviation of the log of the contrast of each tomogram, a factor of the signal."""
    gain_tomogram_log_std: NonNegativeFloat = 0.0
    """Standard deviation of the log of a factor of all images of a tomogram, noise included."""
    tilt_shift_px: NonNegativeFloat = 0.0
    """Standard deviation along each axis, in px, of a displacement of each exposure, shared by the
    particles of its tomogram, that the files do not state."""
    tilt_defocus_error_um: NonNegativeFloat = 0.0
    """Standard deviation, in um, of the error of the defocus that they state of each exposure."""
