"""Image series of Warp 1 and M, and of the simulator cryoSRPNT.

Warp extracts images in which protein is bright.
"""

from __future__ import annotations

from tomodrgn.plugins.readers import warp_columns
from tomodrgn.plugins.readers.image_series import ImageSeries


class WarpParticleseries(ImageSeries):
    """Reads an image series in which ``rlnGroupName`` names the particle."""

    particle_column = warp_columns.PARTICLE
    inverted = True
