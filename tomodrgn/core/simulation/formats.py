"""The formats that a simulation is written in: which stacks, and which text files around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomodrgn.core.simulation.image_series import nextpyp_star, warp_star
from tomodrgn.core.simulation.set_particles import particles_star, trajectories_star
from tomodrgn.core.simulation.set_tomograms import angle_tomograms_star, matrix_tomograms_star
from tomodrgn.core.simulation.stacks import write_particle_stacks, write_series_stacks
from tomodrgn.core.simulation.star_text import value_block

if TYPE_CHECKING:
    from tomodrgn.core.simulation.forward import Simulation
    from tomodrgn.core.specs.simulation import SimulationSpec

STAR_NAME = "particles.star"
SET_NAME = "optimisation_set.star"


def entry_name(spec: SimulationSpec) -> str:
    """The file that is given to the commands which read particles."""
    return SET_NAME if spec.writes_set else STAR_NAME


def write_stacks(simulation: Simulation) -> dict[str, str]:
    """Write the stacks; text of the STAR files around them by file name, the entry last."""
    if not simulation.spec.writes_set:
        names = write_series_stacks(simulation)
        star = nextpyp_star if simulation.spec.format == "nextpyp" else warp_star
        return {STAR_NAME: star(simulation, names)}
    files = {STAR_NAME: particles_star(simulation, write_particle_stacks(simulation))}
    members = {
        "rlnTomoParticlesFile": STAR_NAME,
        "rlnTomoTomogramsFile": "tomograms.star",
    }
    if simulation.spec.format == "relion5":
        files |= angle_tomograms_star(simulation)
    else:
        files["tomograms.star"] = matrix_tomograms_star(simulation)
    if simulation.spec.trajectories_a:
        members["rlnTomoTrajectoriesFile"] = "trajectories.star"
        files["trajectories.star"] = trajectories_star(simulation)
    return {**files, SET_NAME: value_block(members)}
