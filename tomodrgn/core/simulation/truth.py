"""``truth.yaml``: what a folder of simulated tilt series was made from, and where its parts lie."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from pydantic import ValidationError

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.mrc import read_volume
from tomodrgn.core.files.yaml_text import read_yaml
from tomodrgn.core.simulation.motions import coordinate_names
from tomodrgn.core.simulation.spread import variance_outside
from tomodrgn.core.simulation.treatment import reading_options
from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.simulation import SimulationSpec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.simulation.forward import Simulation

TRUTH_NAME = "truth.yaml"


class TruthFiles(Spec):
    """Files of a simulated set, relative to its folder."""

    star: str
    """What is given to the commands that read particles."""
    labels: str = "labels.pkl"
    """Class of each particle, -1 for junk, a pickled array."""
    labels_text: str = "labels.txt"
    """The same, one per line."""
    motion: str | None = None
    """Coordinates of the motion of each particle, one row per line."""
    orientations: str = "orientations.npy"
    """(B, 3, 3) rotations, reference to tomogram coordinates."""
    contrast: str | None = None
    """Contrast of each particle, one per line."""
    exposures: str | None = None
    """What each exposure of each tomogram has wrong, one row per line."""
    positions: str = "positions.npy"
    """(B, 3) centers in angstrom from the first voxel of the tomogram."""
    volumes: str = "volumes.star"
    """Where particles lie, one row per particle."""
    maps: tuple[str, ...]
    """Map of each class at rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is known about a simulated set.

    Attributes:
        spec: what was simulated; maps that were given are named where simulate wrote them.
        labels: (B,) int64 classes, -1 for junk.
        motion: (B, C) float64 coordinates of the motion.
        maps: (classes, D, D, D) float32.
    """

    spec: SimulationSpec
    labels: NDArray[np.int64]
    motion: NDArray[np.float64]
    maps: NDArray[np.float32]

    def take(self, rows: NDArray[np.int64]) -> Truth:
        """The particles of the rows (n,) given."""
        return replace(self, labels=self.labels[rows], motion=self.motion[rows])


def write_truth(simulation: Simulation, files: TruthFiles) -> None:
    """Write ``truth.yaml``; the folder it lies in is not part of it."""
    spec = simulation.spec.model_dump(mode="json", exclude={"outdir"})
    facts = {
        "simulation": spec,
        "scale": simulation.scale,
        "noise_std": simulation.noise_std,
        "image_state": asdict(simulation.optics.state),
        "reading_options": reading_options(simulation.spec),
        "motion_coordinates": list(coordinate_names(simulation.spec)),
        "variance_outside_subspace_of_dim": {
            dim: round(fraction, 4) for dim, fraction in variance_outside(simulation).items()
        },
        "files": files.model_dump(mode="json"),
    }
    text = yaml.safe_dump(facts, sort_keys=False)
    write_text_atomic(simulation.spec.outdir / TRUTH_NAME, text)


def read_truth(folder: Path) -> Truth:
    """What is known about the simulated set in a folder.

    Raises:
        DataError: the folder was not written by ``simulate``, or is damaged.
    """
    path = folder / TRUTH_NAME
    if not path.is_file():
        raise DataError(f"{path} is missing; give a folder that simulate wrote")
    try:
        facts: dict[str, Any] = read_yaml(path)
        spec = SimulationSpec(**facts["simulation"], outdir=folder)
        files = TruthFiles(**facts["files"])
        if spec.maps is not None:
            spec = spec.model_copy(update={"maps": tuple(folder / name for name in files.maps)})
    except (KeyError, TypeError, ValidationError) as error:
        raise DataError(f"{path} describes no simulation ({error}); simulate again") from error
    return Truth(
        spec=spec,
        labels=_read_numbers(folder / files.labels_text, (spec.n_particles, 1))[:, 0].astype(int),
        motion=_read_motion(folder, files, spec),
        maps=np.stack([read_volume(folder / name)[0] for name in files.maps]),
    )


def _read_motion(folder: Path, files: TruthFiles, spec: SimulationSpec) -> NDArray[np.float64]:
    """(B, C) coordinates of the motion."""
    n_coordinates = len(coordinate_names(spec))
    if files.motion is None or not n_coordinates:
        return np.zeros((spec.n_particles, n_coordinates))
    return _read_numbers(folder / files.motion, (spec.n_particles, n_coordinates))


def _read_numbers(path: Path, shape: tuple[int, int]) -> NDArray[np.float64]:
    """A table of the truth, one row per particle."""
    try:
        found = np.loadtxt(path.read_text(encoding="utf-8").splitlines(), ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as numbers: {error}; simulate again") from error
    if found.shape != shape:
        raise DataError(
            f"{path}: has shape {found.shape}, the simulation has {shape}; simulate again"
        )
    return found
