"""Labels of the particles of a run, from files that came from it, from its input or elsewhere."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.labels import read_labels
from tomodrgn.core.particles.identity import match_particles
from tomodrgn.core.pipeline.results import open_results
from tomodrgn.core.run_directory import RUN_SPEC

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.interfaces import RunResults
    from tomodrgn.core.registry import Registry

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClassLabels:
    """The class of each particle of a run.

    Attributes:
        of_particle: (B,) from 0.
        names: (K,) what each class is called in the file.
        origin: directory of the run that the file lies in, or None.
    """

    of_particle: NDArray[np.int64]
    names: tuple[str, ...]
    origin: Path | None = None

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(K,) particles of each class."""
        return np.bincount(self.of_particle, minlength=len(self.names)).astype(np.int64)


def labels_of_run(path: Path, results: RunResults, registry: Registry) -> ClassLabels:
    """The labels of a file, brought into the order of the particles of a run.

    Args:
        path: one label per particle. In the directory of another run they belong to its particles
            and are joined by names; otherwise they count the particles of the run, or all of its
            input.
        results: the run.
        registry: opens the other run.

    Raises:
        DataError: the labels fit neither, or are no classes.
    """
    values = read_labels(path)
    mine = _joined(path, values, results, registry)
    if mine.dtype.kind == "f":
        if not np.array_equal(mine, np.rint(mine)):
            raise DataError(
                f"{path}: {mine[mine != np.rint(mine)][0]} is no class; labels are whole numbers "
                "or names"
            )
        mine = mine.astype(np.int64)
    names, of_particle = np.unique(mine, return_inverse=True)
    if len(names) > max(2, len(mine) // 2):
        raise DataError(
            f"{path}: has {len(names)} different labels for {len(mine)} particles; give classes"
        )
    return ClassLabels(of_particle.astype(np.int64), tuple(map(str, names)), _run_above(path))


def _joined(
    path: Path, values: NDArray[Any], results: RunResults, registry: Registry
) -> NDArray[Any]:
    """(B,) labels in the order of the particles of the run."""
    particles = results.particles
    home = _run_above(path)
    if home is not None and home != results.directory.resolve():
        other = open_results(home, registry).particles
        if len(values) == other.n_particles:
            logger.info("labels are those of the run in %s, joined by names of particles", home)
            return values[match_particles(other, particles)]
    if len(values) == particles.n_particles:
        return values
    if len(values) == particles.n_source_particles:
        logger.info("labels are those of all particles of %s", particles.source)
        return values[particles.source_particle]
    raise DataError(
        f"{path}: holds {len(values)} labels, the run has {particles.n_particles} particles and "
        f"its input {particles.n_source_particles}; give one label per particle of either"
    )


def _run_above(path: Path) -> Path | None:
    """The run directory that a file lies in, however deep."""
    for folder in path.resolve().parents:
        if (folder / RUN_SPEC).exists():
            return folder
    return None
