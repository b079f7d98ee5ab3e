"""How crowded is it around each particle? A command, a covariate and a check, in one module.

Try it without installing anything: ``TOMODRGN_PLUGINS=crowding`` with this folder on PYTHONPATH.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import PositiveFloat

from tomodrgn.plugin import (
    Classic,
    Command,
    DataError,
    Extension,
    ParticleSet,
    Run,
    Spec,
    hookimpl,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tomodrgn.plugin import Finding

RADIUS_A = 500.0
"""Distance in angstrom within which another particle is a neighbor."""


class CrowdingSpec(Spec):
    """How neighbors are counted."""

    run: Path
    """Run directory."""
    radius_a: PositiveFloat = RADIUS_A
    """Distance in angstrom within which another particle is a neighbor."""


OPTIONS = (Classic("run", "run", needed=True), Classic("--radius", "radius_a"))


class Crowding(NamedTuple):
    """Neighbors of each particle."""

    n_neighbors: NDArray[np.int64]

    def page(self) -> str:
        """What the command line prints."""
        found = self.n_neighbors
        return f"{found.mean():.2f} neighbors on average, {found.max()} at most\n"


def crowding(run: Run, spec: CrowdingSpec) -> Crowding:
    """Neighbors of the particles of a run in their tomograms."""
    return Crowding(neighbors(run.particles, spec.radius_a))


def neighbors(particles: ParticleSet, radius_a: float = RADIUS_A) -> NDArray[np.int64]:
    """(B,) other particles of the same tomogram within ``radius_a`` angstrom.

    Raises:
        DataError: nobody knows where the particles are.
    """
    places = particles.position_a
    if places is None:
        raise DataError(f"{particles.source}: has no coordinates, so neighbors cannot be counted")
    found = np.zeros(particles.n_particles, np.int64)
    for tomogram in np.unique(particles.tomogram.astype(str)):
        rows = np.flatnonzero(particles.tomogram == tomogram)
        distance = np.linalg.norm(places[rows, None] - places[None, rows], axis=2)
        found[rows] = (distance < radius_a).sum(axis=1) - 1
    return found


def covariate(run: Run) -> NDArray[np.float64]:
    """(B,) neighbors, for the report of what explains latents."""
    return neighbors(run.particles).astype(np.float64)


def check(particles: ParticleSet) -> Iterator[Finding]:
    """Warn of particles that lie in each other."""
    from tomodrgn.plugin import Finding

    if particles.position_a is None:
        return
    n_close = int((neighbors(particles, 10.0) > 0).sum())
    if n_close:
        yield Finding(
            "warning", "crowding", f"{n_close} particles lie within 10 A of another",
            "remove duplicates upstream",
        )  # fmt: skip


@hookimpl
def tomodrgn_commands() -> Iterator[Command]:
    """Offer ``tomodrgn crowding RUN``."""
    yield Command(
        name="crowding", summary="Count neighbors of each particle.", takes="run",
        function="crowding:crowding", spec="crowding:CrowdingSpec", options="crowding:OPTIONS",
    )  # fmt: skip


@hookimpl
def tomodrgn_extensions() -> Iterator[Any]:
    """Offer the covariate and the check."""
    neighbors_of = {"name": "neighbors", "summary": "Particles nearby."}
    yield Extension(point="covariate", function="crowding:covariate", **neighbors_of)
    yield Extension(point="check", function="crowding:check", **neighbors_of)
