"""Sizes of simulated tomograms, and where particles lie in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.simulation.forward import Simulation

BINNING = 4
"""Pixel size of particles over that of the tilt series they come from."""


def tomogram_size_px(simulation: Simulation) -> NDArray[np.int64]:
    """(3,) size x, y, z of all tomograms in pixels of the particles."""
    field_px = np.array(simulation.spec.field_a) / simulation.structure.pixel_size_a
    return np.ceil(field_px).astype(np.int64)


def series_pixel_size_a(simulation: Simulation) -> float:
    """Pixel size of the tilt series, as a set states it."""
    pixel_size_a = simulation.structure.pixel_size_a
    return pixel_size_a if simulation.spec.size_convention == "binned" else pixel_size_a / BINNING


def positions_a(simulation: Simulation) -> NDArray[np.float64]:
    """(B, 3) centers of particles, from the first voxel of their tomogram."""
    size_a = tomogram_size_px(simulation) * simulation.structure.pixel_size_a
    positions: NDArray[np.float64] = simulation.experiment.place_a + size_a / 2
    return positions


def stated_positions_a(simulation: Simulation) -> NDArray[np.float64]:
    """(B, 3) where files say that they are, likewise."""
    experiment = simulation.experiment
    moved_a = experiment.origin_a - experiment.stated.origin_a
    positions: NDArray[np.float64] = positions_a(simulation) + moved_a
    return positions


def coordinates_a(simulation: Simulation) -> NDArray[np.float64]:
    """(B, 3) where the images of particles of a set are centered, likewise."""
    coordinates: NDArray[np.float64] = positions_a(simulation) + simulation.experiment.origin_a
    return coordinates
