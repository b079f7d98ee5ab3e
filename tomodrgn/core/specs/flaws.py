"""What real tilt series have wrong or otherwise than the model says: a part of a simulation.

All default to none, and then change nothing.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeFloat

from tomodrgn.core.specs.base import Spec

Share = Annotated[float, Field(ge=0, le=1)]


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
    preferred_views: Share = 0.0
    """Fraction of particles whose z axis lies along the beam, or nearly: 15 degrees off in the
    mean square about each of two axes."""
    neighbors: NonNegativeFloat = 0.0
    """Mean number of other particles, each in a pose of its own, whose centers lie between 1 and
    1.5 diameters from that of a particle."""
    membrane: Share = 0.0
    """Fraction of particles that a lipid bilayer touches, in any direction."""
    ice_gradient: NonNegativeFloat = 0.0
    """Gray level at the edge of an image less that at its center, in deviations of the noise: a
    ramp in a direction of its own, this its standard deviation along each axis."""
    stripes: NonNegativeFloat = 0.0
    """Standard deviation, in deviations of the noise, of stripes that run along one direction in
    all images of a tomogram."""
    noise_color: Annotated[float, Field(ge=0, le=2)] = 0.0
    """How noise falls with frequency: its amplitude goes with frequency to minus this power; 0 for
    white noise. Its variance stays."""
