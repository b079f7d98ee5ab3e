"""Outliers as tables for people and programs: one of particles, one of exposures, and names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.star import numeric_column, read_star, write_table
from tomodrgn.core.particles.corrections_file import (
    DOSE,
    PARTICLE,
    TILT,
    TOMOGRAM,
    rows_of_table,
    table_text,
)
from tomodrgn.core.products import GROUPS, OUTLIER_TILTS, OUTLIERS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet

_DECIMALS: Final = 6

JUNK_PROBABILITY: Final = "tdgnJunkProbability"
AMPLITUDE: Final = "tdgnAmplitude"
AMPLITUDE_ERROR: Final = "tdgnAmplitudeError"
RARE_PROBABILITY: Final = "tdgnRareProbability"
RESIDUAL: Final = "tdgnResidual"
POSE_DEVIATION: Final = "tdgnPoseDeviation"
N_SHOWN: Final = "tdgnParticles"
CALLED: Final = 0.5
"""Probability from which a particle or an exposure is called what it may be."""
JUNK_CLASS: Final = -1
"""Number of the class of what is no particle, among classes numbered from 0."""
PARTICLE_GROUP: Final = "particle"
JUNK_GROUP: Final = "junk"
RARE_GROUP: Final = "rare"
JUNK_NAMES: Final = (str(JUNK_CLASS), JUNK_GROUP)
"""What the class of junk is called where classes are told by names."""
LEFT_OUT_GROUP: Final = "left_out"
"""Names of groups; the last one is of particles of the input that are not in the run."""
_SAID: Final = {JUNK_PROBABILITY: "junk probability", RESIDUAL: "residual of the fit (z)"}


def write_outliers(
    folder: Path,
    particles: ParticleSet,
    columns: Mapping[str, NDArray[Any]],
    groups: NDArray[np.object_],
) -> None:
    """Write what was found of B particles, and a name for each particle of their input.

    Args:
        folder: where to.
        particles: of the run.
        columns: (B,) by name.
        groups: (B,) what each is taken for, such as ``junk``.

    Raises:
        OutputError: a file cannot be written.
    """
    named = {TOMOGRAM: particles.tomogram, PARTICLE: particles.name, **_rounded(columns)}
    write_table(folder / OUTLIERS, table_text(named), "particles")
    of_input = np.full(particles.n_source_particles, LEFT_OUT_GROUP, dtype=object)
    of_input[particles.source_particle] = groups
    write_text_atomic(folder / GROUPS, "".join(f"{name}\n" for name in of_input))


def write_outlier_tilts(
    folder: Path,
    particles: ParticleSet,
    exposure: NDArray[np.int64],
    columns: Mapping[str, NDArray[Any]],
) -> None:
    """Write what was found of T exposures.

    Args:
        folder: where to.
        particles: of the run, with M images.
        exposure: (M,) exposure of each image.
        columns: (T,) by name.

    Raises:
        OutputError: the file cannot be written.
    """
    _, first = np.unique(exposure, return_index=True)
    named = {
        TOMOGRAM: particles.tomogram[particles.particle_of_image[first]],
        DOSE: particles.images.dose_e_per_a2[first].astype(np.float64),
        TILT: particles.images.tilt_deg[first].astype(np.float64),
        **_rounded(columns),
    }
    write_table(folder / OUTLIER_TILTS, table_text(named), "tilts")


def _rounded(columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name: np.round(values, _DECIMALS) for name, values in columns.items()}


def read_outliers(folder: Path, particles: ParticleSet) -> dict[str, NDArray[np.float64]] | None:
    """Columns (B,) of particles by name; None where the folder has none.

    Raises:
        DataError: the file cannot be read, or lacks particles.
    """
    path = folder / OUTLIERS
    if not path.exists():
        return None
    star = read_star(path)
    table = star.read(star.table_with(JUNK_PROBABILITY))
    rows = rows_of_table(table, particles, path)
    names = [name for name in table.columns if name not in (TOMOGRAM, PARTICLE)]
    return {name: numeric_column(table, name, path)[rows] for name in names}


def outlier_covariates(folder: Path, particles: ParticleSet) -> dict[str, NDArray[np.float64]]:
    """What a run found of its particles (B,) that may explain how they differ, by name.

    Raises:
        DataError: the file cannot be read, or lacks particles.
    """
    found = read_outliers(folder, particles) or {}
    return {said: found[name] for name, said in _SAID.items() if name in found}


def copy_outliers(source: Path, folder: Path, particles: ParticleSet) -> None:
    """Write what another run found of particles beside the results of one that starts from it.

    Raises:
        DataError: the files cannot be read, or lack particles.
        OutputError: a file cannot be written.
    """
    found = read_outliers(source, particles)
    if found is not None:
        write_outliers(folder, particles, found, groups_of(found))


def groups_of(columns: Mapping[str, NDArray[np.float64]]) -> NDArray[np.object_]:
    """(B,) what particles are taken for by their probabilities (B,), by name of the column."""
    junk = columns[JUNK_PROBABILITY]
    groups = np.full(len(junk), PARTICLE_GROUP, dtype=object)
    groups[columns.get(RARE_PROBABILITY, np.zeros(len(junk))) > CALLED] = RARE_GROUP
    groups[junk > CALLED] = JUNK_GROUP
    return groups
