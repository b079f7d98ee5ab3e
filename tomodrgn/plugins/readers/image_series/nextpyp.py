"""Image series of nextPYP, and what the 2022 program wrote for them.

``rlnGroupNumber`` holds a name of the form ``MM_PP``, no number; newer versions repeat it as
``rlnGroupName``. The dose of an exposure does not count in its own image: the first one has 0.
That protein is bright is the default of the 2022 program, and the files do not say it; ``tomodrgn
check`` compares both signs with the data.
"""

from __future__ import annotations

from tomodrgn.plugins.readers.image_series.reader import ImageSeries
from tomodrgn.plugins.readers.upstream_files import warp_columns


class Nextpyp(ImageSeries):
    """Reads an image series in which ``rlnGroupNumber`` names the particle."""

    particle_column = warp_columns.PARTICLE_OF_NEXTPYP
    inverted = True
