"""Volume series of Warp 1: coordinates in pixels of the size that the file states.

The centre of a particle is its coordinate minus its origin shift.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import list_names, numeric_column, read_star
from tomodrgn.core.files.star_tables import table_with
from tomodrgn.plugins.readers.upstream_files import optics_groups
from tomodrgn.plugins.readers.upstream_files import warp_columns as columns
from tomodrgn.plugins.readers.upstream_files.bounds import the_one_pixel_size_a
from tomodrgn.plugins.readers.upstream_files.half_sets import row_half_sets
from tomodrgn.plugins.readers.upstream_files.pixel_sizes import (
    detector_pixel_sizes_a,
    image_pixel_size_a,
)
from tomodrgn.plugins.readers.upstream_files.refined_columns import as_first_stated, own_columns
from tomodrgn.plugins.readers.upstream_files.repeats import unique_names
from tomodrgn.plugins.readers.upstream_files.star_write import SelectableTable, selectable_table
from tomodrgn.plugins.readers.volume_series.reader import (
    VolumeSeries,
    angles,
    numbers,
    volume_particles,
)
from tomodrgn.plugins.readers.volume_series.refined_poses import PoseColumns, read_corrections

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.plugins.readers.volume_series.refined_poses import Places

logger = logging.getLogger(__name__)

PARTICLE_NAMES: Final = (columns.PARTICLE, "rlnTomoParticleName", columns.IMAGE)
ORIGINS_PX: Final = ("rlnOriginX", "rlnOriginY", "rlnOriginZ")
ORIGINS_A: Final = ("rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst")
_REFINABLE: Final = (*columns.EULER_ANGLES, *ORIGINS_A, *ORIGINS_PX)
_KNOWN: Final = (
    *(*columns.COORDINATES, *columns.EULER_ANGLES, columns.TOMOGRAM, columns.HALF_SET),
    *(*PARTICLE_NAMES, *ORIGINS_PX, *ORIGINS_A),
    *(columns.MAGNIFICATION, columns.DETECTOR_PIXEL_SIZE, *columns.PIXEL_SIZES),
    optics_groups.GROUP,
    *own_columns(_REFINABLE),
)
_OF_TOMOGRAMS: Final = ("rlnTomoTiltSeriesPixelSize", "rlnMicrographOriginalPixelSize")
"""What optics groups say of the tomograms that coordinates count in, from RELION 3.1 on."""
_SAME_PIXEL_SIZE: Final = 1e-3  # relative; columns state different numbers of digits


class WarpVolumeseries(VolumeSeries):
    """Reads a volume series in which ``rlnMicrographName`` names the tomogram."""

    def read(self) -> ParticleSet:
        """Where particles lie and how they are turned.

        Raises:
            DataError: the file is no volume series, or has a row that cannot be understood.
        """
        path = self._spec.path
        table = _read_rows(path)
        pixel_size_a = self._spec.pixel_size_a or _coordinate_pixel_size_a(table, path)
        tomogram = _tomograms(table)
        choices = [
            *((name,) for name in PARTICLE_NAMES),
            columns.COORDINATES,
            (*columns.COORDINATES, *columns.EULER_ANGLES),
        ]
        has_angles = set(columns.EULER_ANGLES) <= set(table.columns)

        def places(rows: pd.DataFrame) -> Places:
            coordinates_a = numbers(rows, columns.COORDINATES, path) * pixel_size_a
            center_a = coordinates_a - _origins_a(rows, path, pixel_size_a)
            return center_a, angles(rows, columns.EULER_ANGLES, path) if has_angles else None

        position_a, euler_deg = places(table)
        return volume_particles(
            path,
            tomogram,
            unique_names(as_first_stated(table, _REFINABLE), tomogram, choices, path),
            position_a,
            euler_deg=euler_deg,
            half_set=row_half_sets(table, columns.HALF_SET, path),
            pixel_size_a=pixel_size_a,
            corrections=read_corrections(table, path, _REFINABLE, places, pixel_size_a),
        )

    def pose_columns(self) -> list[PoseColumns]:
        """The origins that the file has, in angstrom where it has none."""
        path = self._spec.path
        found = table_with(read_star(path), columns.COORDINATES[-1], "particles").columns
        pixel_size_a = self._spec.pixel_size_a or _coordinate_pixel_size_a(_read_rows(path), path)
        units_a: dict[tuple[str, ...], float] = {ORIGINS_A: 1.0, ORIGINS_PX: pixel_size_a}
        new: dict[tuple[str, ...], float] = {ORIGINS_A: 1.0}
        lengths = {names: unit for names, unit in units_a.items() if set(names) <= set(found)}
        return [PoseColumns(columns.EULER_ANGLES, lengths or new, grows=1)]

    @cached_property
    def _selectable(self) -> SelectableTable:
        star = read_star(self._spec.path)
        block = table_with(star, columns.COORDINATES[-1], "particles")
        table = star.read(block, [columns.TOMOGRAM, columns.COORDINATES[-1]])
        return selectable_table(star, block, _tomograms(table))


def _read_rows(path: Path) -> pd.DataFrame:
    """The known columns of all rows, as text."""
    star = read_star(path)
    block = table_with(star, columns.COORDINATES[-1], "particles")
    missing = [name for name in columns.COORDINATES if name not in block.columns]
    if missing:
        raise DataError(
            f"{path}: {', '.join(missing)} missing; a volume series needs "
            f"{', '.join(columns.COORDINATES)}; found {list_names(block.columns)}"
        )
    table = star.read(block, _KNOWN)
    if table.empty:
        raise DataError(f"{path}: has no rows, so there are no particles; export it again")
    groups = optics_groups.optics_table(star, block)
    return table if groups is None else optics_groups.join_optics(table, groups, path)


def _tomograms(table: pd.DataFrame) -> NDArray[np.object_]:
    """(rows,) tomogram names, empty where the file has none."""
    if columns.TOMOGRAM not in table:
        return np.full(len(table), "", dtype=object)
    return table[columns.TOMOGRAM].to_numpy(dtype=object)


def _coordinate_pixel_size_a(table: pd.DataFrame, path: Path) -> float:
    """Pixel size of the coordinates; one stated as such comes before that of the detector."""
    stated = [name for name in (*_OF_TOMOGRAMS, *columns.PIXEL_SIZES) if name in table]
    if not stated:
        return image_pixel_size_a(table, path)
    pixel_size_a = the_one_pixel_size_a(numeric_column(table, stated[0], path), path)
    if columns.DETECTOR_PIXEL_SIZE in table:
        detector_a = float(detector_pixel_sizes_a(table, path)[0])
        if abs(detector_a - pixel_size_a) > _SAME_PIXEL_SIZE * pixel_size_a:
            logger.warning(
                "%s: %s is %g A/px, the detector has %g A/px; coordinates are taken to be in "
                "pixels of %g A, set it with --Apix",
                path, stated[0], pixel_size_a, detector_a, pixel_size_a,
            )  # fmt: skip
    return pixel_size_a


def _origins_a(table: pd.DataFrame, path: Path, pixel_size_a: float) -> NDArray[np.float64]:
    """(rows, 3) origin shifts, zero where the file has none in three dimensions."""
    for names, unit_a in ((ORIGINS_A, 1.0), (ORIGINS_PX, pixel_size_a)):
        found = [name for name in names if name in table]
        if len(found) == len(names):
            return numbers(table, names, path) * unit_a
        if found:
            logger.info("%s: %s left out: shifts of images", path, ", ".join(found))
    return np.zeros((len(table), 3))
