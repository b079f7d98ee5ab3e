"""The STAR file that states where particles lie: one row per particle, as Warp 1 volume series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomodrgn.core.geometry.rotations import euler_from_matrices
from tomodrgn.core.simulation.coordinates import stated_positions_a
from tomodrgn.core.simulation.image_series import NOMINAL_MAGNIFICATION
from tomodrgn.core.simulation.star_text import angle_columns, axis_columns, table_block
from tomodrgn.core.simulation.tomograms import particle_names, stated_tomogram_name

if TYPE_CHECKING:
    from tomodrgn.core.simulation.forward import Simulation


def volume_series_star(simulation: Simulation) -> str:
    """Coordinates and orientations; particles are called as in the images of the same set."""
    experiment, pixel_size_a = simulation.experiment, simulation.structure.pixel_size_a
    n = len(experiment.counts)
    tomograms = [stated_tomogram_name(simulation.spec, t) for t in experiment.tomogram.tolist()]
    columns = {
        "rlnMagnification": [NOMINAL_MAGNIFICATION] * n,
        "rlnDetectorPixelSize": [f"{pixel_size_a:.6f}"] * n,
        "rlnMicrographName": tomograms,
        **axis_columns("rlnCoordinate*", stated_positions_a(simulation) / pixel_size_a, 4),
        **angle_columns(euler_from_matrices(experiment.stated.orientation)),
        "rlnGroupName": particle_names(simulation.spec),
    }
    return table_block(columns)
