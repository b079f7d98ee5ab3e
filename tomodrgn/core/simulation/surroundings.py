"""Draws of what images show besides their particle: neighbors, membranes, ice and stripes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.geometry.rotations import random_rotations
from tomodrgn.core.simulation.streams import random_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.specs.simulation import SimulationSpec

N_STRIPES: Final = 6
"""Waves that stripes are made of: 1 to 6 over a box."""

_NEAREST, _FARTHEST = 1.0, 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What surrounds B particles in M images, with N neighbors in all.

    Attributes:
        owner: (N,) int64 row of the particle that each neighbor is near to, ascending.
        alike: (N,) float64 in [0, 1): rank of the particle whose class and motion it has.
        place: (N, 3) float64 from the center of the particle, in diameters.
        orientation: (N, 3, 3) float64, reference to tomogram coordinates.
        membrane: (B, 3) float64 unit vectors from each particle to its membrane, in tomogram
            coordinates; 0 for none.
        ramp: (M, 2) float64 gray level at the edge of the image along x and y.
        stripe_deg: (G,) float64 direction across the stripes of each tomogram.
        stripe_phase: (M, W) float64 phases of the waves in radians.
    """

    owner: NDArray[np.int64]
    alike: NDArray[np.float64]
    place: NDArray[np.float64]
    orientation: NDArray[np.float64]
    membrane: NDArray[np.float64]
    ramp: NDArray[np.float64]
    stripe_deg: NDArray[np.float64]
    stripe_phase: NDArray[np.float64]

    def neighbors_of(
        self, particle: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs of rows (K,) of particles (m,) given and of neighbors that they have."""
        first = np.searchsorted(self.owner, particle)
        counts = np.searchsorted(self.owner, particle, side="right") - first
        row = np.repeat(np.arange(len(particle)), counts)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        return row, np.repeat(first, counts) + within


def draw_surroundings(spec: SimulationSpec, n_images: int) -> Surroundings:
    """The surroundings that a spec asks for; nothing without any."""
    rng = random_stream(spec.seed, "neighbors")
    counts = rng.poisson(spec.neighbors, spec.n_particles)
    n = int(counts.sum())
    distance = np.cbrt(rng.uniform(_NEAREST**3, _FARTHEST**3, n))
    stripes = random_stream(spec.seed, "stripes")
    n_waves = N_STRIPES if spec.stripes else 0
    return Surroundings(
        owner=np.repeat(np.arange(spec.n_particles), counts),
        alike=rng.random(n),
        place=distance[:, None] * _directions(n, rng),
        orientation=random_rotations(n, rng),
        membrane=_membranes(spec),
        ramp=_ramps(spec, n_images),
        stripe_deg=stripes.uniform(0, 180, spec.n_tomograms),
        stripe_phase=stripes.uniform(0, 2 * np.pi, (n_images, n_waves)),
    )


def _membranes(spec: SimulationSpec) -> NDArray[np.float64]:
    """(B, 3) directions of membranes; 0 for none."""
    rng = random_stream(spec.seed, "membrane")
    has_one = rng.random(spec.n_particles) < spec.membrane
    return has_one[:, None] * _directions(spec.n_particles, rng)


def _ramps(spec: SimulationSpec, n_images: int) -> NDArray[np.float64]:
    """(M, 2) ramps."""
    rng = random_stream(spec.seed, "ice")
    return rng.normal(0, spec.ice_gradient, (n_images if spec.ice_gradient else 0, 2))


def _directions(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n, 3) unit vectors of every direction."""
    vectors = rng.standard_normal((n, 3))
    units: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units
