"""Image series of Warp 1 and M, and of the simulator cryoSRPNT.

Warp extracts images in which protein is bright.
"""

from __future__ import annotations

from tomodrgn.plugins.readers.image_series.reader import ImageSeries
from tomodrgn.plugins.readers.upstream_files import warp_columns


class WarpParticleseries(ImageSeries):
    """Reads an image series in which ``rlnGroupName`` names the particle."""

    particle_column = warp_columns.PARTICLE
    inverted = True
