"""Corrections as tables for people and programs: one of particles, one of the exposures they share.

Numbers are written with all their digits, angles in degrees and lengths in angstrom. Particles are
told by their names and exposures by tomogram, dose and tilt, so that the tables can be read for
the same particles in any order, for some of them, and for images on other pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import numeric_column, read_star, write_table
from tomodrgn.core.particles.corrections import Corrections, no_corrections
from tomodrgn.core.particles.identity import match_particles
from tomodrgn.core.products import REFINED_POSES, REFINED_TILTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet

TOMOGRAM: Final = "tdgnTomogram"
PARTICLE: Final = "tdgnParticle"
HALF_SET: Final = "tdgnHalfSet"
TURN_DEG: Final = ("tdgnTurnX", "tdgnTurnY", "tdgnTurnZ")
SHIFT_A: Final = ("tdgnShiftXAngst", "tdgnShiftYAngst", "tdgnShiftZAngst")
LOG_CONTRAST: Final = "tdgnLogContrast"
TURN_ERROR_DEG: Final = ("tdgnTurnXError", "tdgnTurnYError", "tdgnTurnZError")
SHIFT_ERROR_A: Final = ("tdgnShiftXErrorAngst", "tdgnShiftYErrorAngst", "tdgnShiftZErrorAngst")
LOG_CONTRAST_ERROR: Final = "tdgnLogContrastError"
DOSE: Final = "tdgnDose"
TILT: Final = "tdgnTilt"
TILT_SHIFT_A: Final = ("tdgnTiltShiftXAngst", "tdgnTiltShiftYAngst")
TILT_LOG_CONTRAST: Final = "tdgnTiltLogContrast"
IMAGE: Final = "tdgnImage"


def write_corrections(
    folder: Path,
    particles: ParticleSet,
    corrections: Corrections,
    *,
    half: NDArray[Any] | None = None,
    of_particles: Mapping[str, NDArray[Any]] | None = None,
    prefix: str = "",
) -> list[Path]:
    """Write the corrections of particles and of tilts; the files.

    Args:
        folder: where to.
        particles: B particles as they were before.
        corrections: of them.
        half: (B,) the half set in which each was refined, where there were any.
        of_particles: further columns (B,) of particles by name, such as :func:`error_columns`.
        prefix: of the names of the files.

    Raises:
        OutputError: a file cannot be written.
    """
    turn_deg = np.rad2deg(corrections.rotation_vector())
    shift_a = corrections.shift_px * particles.pixel_size_a
    table = {
        TOMOGRAM: particles.tomogram,
        PARTICLE: particles.name,
        **({} if half is None else {HALF_SET: half}),
        **_axes(TURN_DEG, turn_deg),
        **_axes(SHIFT_A, shift_a),
        LOG_CONTRAST: corrections.log_scale,
        **(of_particles or {}),
    }
    files = [folder / f"{prefix}{REFINED_POSES}"]
    write_table(files[0], table_text(table), "particles")
    if particles.n_images:
        files.append(folder / f"{prefix}{REFINED_TILTS}")
        write_table(files[1], table_text(_tilts(particles, corrections, half)), "tilts")
    return files


def read_corrections(folder: Path, particles: ParticleSet, *, prefix: str = "") -> Corrections:
    """The corrections of particles that :func:`write_corrections` wrote, as ``particles`` count.

    Args:
        folder: where they lie.
        particles: to be corrected.
        prefix: of the names of the files.

    Raises:
        DataError: a file cannot be read, or lacks particles or exposures.
    """
    star = read_star(folder / f"{prefix}{REFINED_POSES}")
    table = star.read(star.table_with(PARTICLE))
    rows = rows_of_table(table, particles, star.path)
    names = (*TURN_DEG, *SHIFT_A, LOG_CONTRAST)
    numbers = np.stack([numeric_column(table, name, star.path) for name in names], axis=-1)[rows]
    from scipy.spatial.transform import Rotation  # type: ignore[import-untyped]

    found = no_corrections(particles)
    tilt_shift_px, tilt_log_scale = found.tilt_shift_px, found.tilt_log_scale
    if particles.n_images:
        half = table[HALF_SET].to_numpy(dtype=object)[rows] if HALF_SET in table else None
        tilts = _read_tilts(folder / f"{prefix}{REFINED_TILTS}", particles, half)
        tilt_shift_px, tilt_log_scale = tilts[:, :2] / particles.pixel_size_a, tilts[:, 2]
    return Corrections(
        rotation=Rotation.from_rotvec(np.deg2rad(numbers[:, :3])).as_matrix(),
        shift_px=numbers[:, 3:6] / particles.pixel_size_a,
        log_scale=numbers[:, 6],
        tilt_shift_px=tilt_shift_px,
        tilt_log_scale=tilt_log_scale,
    )


def error_columns(
    covariance: NDArray[np.floating], pixel_size_a: float
) -> dict[str, NDArray[np.float64]]:
    """Columns of what is not known of corrections: standard deviations along each axis.

    Args:
        covariance: (B, 7, 7) of log contrast, shift in px and turn in radians, x, y and z.
        pixel_size_a: of the shifts.
    """
    deviations = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2).astype(np.float64))
    return {
        LOG_CONTRAST_ERROR: deviations[:, 0],
        **_axes(SHIFT_ERROR_A, deviations[:, 1:4] * pixel_size_a),
        **_axes(TURN_ERROR_DEG, np.rad2deg(deviations[:, 4:])),
    }


def read_errors(folder: Path, particles: ParticleSet) -> NDArray[np.float64] | None:
    """(B, 7) standard deviations in the order and units above; None where none were written.

    Raises:
        DataError: the file cannot be read, or lacks particles.
    """
    star = read_star(folder / REFINED_POSES)
    table = star.read(star.table_with(PARTICLE))
    if LOG_CONTRAST_ERROR not in table:
        return None
    rows = rows_of_table(table, particles, star.path)
    names = (LOG_CONTRAST_ERROR, *SHIFT_ERROR_A, *TURN_ERROR_DEG)
    found = np.stack([numeric_column(table, name, star.path) for name in names], axis=-1)[rows]
    found[:, 1:4] /= particles.pixel_size_a
    found[:, 4:] = np.deg2rad(found[:, 4:])
    deviations: NDArray[np.float64] = found
    return deviations


class _Names(NamedTuple):
    """The particles of a table."""

    tomogram: NDArray[np.object_]
    name: NDArray[np.object_]


def rows_of_table(table: pd.DataFrame, particles: ParticleSet, path: Path) -> NDArray[np.int64]:
    """(B,) rows of a table that names its particles as tables of corrections do.

    Raises:
        DataError: the table lacks particles.
    """
    have = _Names(*(table[name].to_numpy(dtype=object) for name in (TOMOGRAM, PARTICLE)))
    try:
        return match_particles(have, particles)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _tilts(
    particles: ParticleSet, corrections: Corrections, half: NDArray[Any] | None
) -> dict[str, NDArray[Any]]:
    """A row for each exposure, for each of its halves, or for each image where these differ."""
    values = np.column_stack(
        [corrections.tilt_shift_px * particles.pixel_size_a, corrections.tilt_log_scale]
    )
    choices = [_exposures(particles)]
    if half is not None:
        choices.append(_exposures(particles, half))
    choices.append({**choices[0], IMAGE: particles.image_name})
    for keys in choices:
        number = pd.DataFrame(keys).groupby([*keys], sort=False).ngroup().to_numpy()
        _, first, number = np.unique(number, return_index=True, return_inverse=True)
        if np.array_equal(values[first][number], values):
            break
    of_rows = {name: column[first] for name, column in keys.items()}
    return of_rows | _axes((*TILT_SHIFT_A, TILT_LOG_CONTRAST), values[first])


def _exposures(particles: ParticleSet, half: NDArray[Any] | None = None) -> dict[str, NDArray[Any]]:
    """(M,) columns that tell the exposure of each image, of its half (B,) if that is given."""
    owner = particles.particle_of_image
    keys: dict[str, NDArray[Any]] = {
        TOMOGRAM: particles.tomogram[owner],
        DOSE: particles.images.dose_e_per_a2.astype(np.float64),
        TILT: particles.images.tilt_deg.astype(np.float64),
    }
    return keys if half is None else {**keys, HALF_SET: half.astype(str).astype(object)[owner]}


def _read_tilts(
    path: Path, particles: ParticleSet, half: NDArray[np.object_] | None
) -> NDArray[np.float64]:
    """(M, 3) shifts in angstrom and log contrast of the exposure of each image."""
    star = read_star(path)
    table = star.read(star.table_with(TILT))
    names = (*TILT_SHIFT_A, TILT_LOG_CONTRAST)
    values: NDArray[np.float64] = np.stack(
        [numeric_column(table, name, path) for name in names], axis=-1
    )
    want = _exposures(particles, half if HALF_SET in table else None)
    if IMAGE in table:
        want[IMAGE] = particles.image_name
    have = {
        name: numeric_column(table, name, path)
        if name in (DOSE, TILT)
        else table[name].to_numpy(dtype=object)
        for name in want
    }
    index, wanted = (pd.MultiIndex.from_arrays(list(keys.values())) for keys in (have, want))
    rows = index.get_indexer(wanted)
    if (rows < 0).any():
        image = particles.image_name[int(np.argmax(rows < 0))]
        raise DataError(
            f"{path}: names no exposure of image {image} ({int((rows < 0).sum())} of {len(rows)} "
            "images); give the file of the run that refined these particles"
        )
    found: NDArray[np.float64] = values[rows]
    return found


def _axes(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    return dict(zip(names, values.T, strict=True))


def table_text(table: Mapping[str, NDArray[Any]]) -> pd.DataFrame:
    """Columns (n,) as text, numbers with all their digits."""
    return pd.DataFrame(
        {
            name: [repr(value) if isinstance(value, float) else str(value) for value in
                   np.asarray(column).tolist()]
            for name, column in table.items()
        },
        dtype=object,
    )  # fmt: skip
