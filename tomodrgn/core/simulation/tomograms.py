"""Names of simulated tomograms and particles, in every format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.specs.simulation import SimulationSpec

_TOMOSTAR_FORMATS = ("warp", "warptools")


def tomogram_name(tomogram: int) -> str:
    """Name of a tomogram, by its number from 0."""
    return f"sim_{tomogram + 1:03d}"


def stated_tomogram_name(spec: SimulationSpec, tomogram: int) -> str:
    """The same as the program of the format writes it."""
    ending = ".tomostar" if spec.format in _TOMOSTAR_FORMATS else ""
    return tomogram_name(tomogram) + ending


def tomogram_of_particles(spec: SimulationSpec) -> NDArray[np.int64]:
    """(B,) number of the tomogram of each particle, ascending."""
    return np.arange(spec.n_particles) * spec.n_tomograms // spec.n_particles


def particle_names(spec: SimulationSpec) -> list[str]:
    """(B,) names of particles, as the program of the format makes them."""
    numbered = enumerate(tomogram_of_particles(spec).tolist())
    if spec.writes_set:
        return [f"{tomogram_name(t)}/{p + 1}" for p, t in numbered]
    if spec.format == "nextpyp":
        return [f"{t:02d}_{p:02d}" for p, t in numbered]
    return [f"{t + 1:03d}_{p:06d}" for p, t in numbered]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Particles as readers name them.

    Attributes:
        tomogram: (B,) str.
        name: (B,) str.
    """

    tomogram: NDArray[np.object_]
    name: NDArray[np.object_]


def names_of(spec: SimulationSpec) -> Names:
    """The names of all particles, in the order of their labels."""
    tomograms = [stated_tomogram_name(spec, t) for t in tomogram_of_particles(spec).tolist()]
    return Names(
        tomogram=np.array(tomograms, dtype=object),
        name=np.array(particle_names(spec), dtype=object),
    )
