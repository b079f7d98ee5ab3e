"""When poses are refined, and where results go."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.specs.output import RunDirectorySpec
from tomodrgn.core.specs.run_options import LINEAR_DATA_OPTIONS, OUTDIR_OPTIONS


class PosesSpec(RunDirectorySpec):
    """Poses and contrast of particles, and shifts and contrast of tilts, that the images show."""


POSES_OPTIONS: Final = OUTDIR_OPTIONS
POSES_DATA_OPTIONS: Final = tuple(
    row
    for row in LINEAR_DATA_OPTIONS
    if row.places not in {"training.report", "refinement.outliers"}
)
