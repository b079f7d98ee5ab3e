"""Particle poses of M: coordinates and angles, at one time or at several times of the exposure.

Columns are ``wrpCoordinateX`` or, where poses are sampled over time, ``wrpCoordinateX1`` and on;
the first sample is taken. Coordinates are in angstrom unless a pixel size is given.

Source:
    M (doi:10.1038/s41592-020-01054-7).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import list_names, read_star
from tomodrgn.core.files.star_tables import table_with
from tomodrgn.plugins.readers.upstream_files.half_sets import row_half_sets
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
    import pandas as pd
    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarFile
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.plugins.readers.volume_series.refined_poses import Places

COORDINATES: Final = ("wrpCoordinateX", "wrpCoordinateY", "wrpCoordinateZ")
ANGLES: Final = ("wrpAngleRot", "wrpAngleTilt", "wrpAnglePsi")
TOMOGRAM: Final = "wrpSourceName"
TOMOGRAM_HASH: Final = "wrpSourceHash"
HALF_SET: Final = "wrpRandomSubset"


class MVolumeseries(VolumeSeries):
    """Reads particle poses in which ``wrpSourceName`` names the tomogram."""

    def read(self) -> ParticleSet:
        """Where particles lie and how they are turned, at the first sample in time.

        Raises:
            DataError: the file has no poses of M, or a row that cannot be understood.
        """
        path = self._spec.path
        star = read_star(path)
        place, turned = first_sample(star, COORDINATES), first_sample(star, ANGLES)
        if place is None:
            raise DataError(
                f"{path}: {', '.join(COORDINATES)} are missing, with or without a number behind; "
                f"found {list_names([name for block in star.tables for name in block.columns])}"
            )
        poses = (*place, *(turned or ()))
        known = [*poses, TOMOGRAM, TOMOGRAM_HASH, HALF_SET, *own_columns(poses)]
        table = star.read(table_with(star, place[0], "particles"), known)
        if table.empty:
            raise DataError(f"{path}: has no rows, so there are no particles; export it again")
        pixel_size_a = self._spec.pixel_size_a or 1.0
        tomogram = _tomograms(table)
        choices = [place, poses]

        def places(rows: pd.DataFrame) -> Places:
            center_a = numbers(rows, place, path) * pixel_size_a
            return center_a, angles(rows, turned, path) if turned else None

        position_a, euler_deg = places(table)
        return volume_particles(
            path,
            tomogram,
            unique_names(as_first_stated(table, poses), tomogram, choices, path),
            position_a,
            euler_deg=euler_deg,
            half_set=row_half_sets(table, HALF_SET, path),
            pixel_size_a=pixel_size_a,
            corrections=read_corrections(table, path, poses, places, pixel_size_a),
        )

    def pose_columns(self) -> list[PoseColumns]:
        """All samples in time."""
        star = read_star(self._spec.path)
        place, *_ = first_sample(star, COORDINATES) or COORDINATES
        found = table_with(star, place, "particles").columns
        samples = (name.removeprefix(COORDINATES[0]) for name in found)
        endings = [sample for sample in samples if sample == "" or sample.isdecimal()]
        unit_a = self._spec.pixel_size_a or 1.0
        return [
            PoseColumns(
                tuple(f"{name}{ending}" for name in ANGLES),
                {tuple(f"{name}{ending}" for name in COORDINATES): unit_a},
                grows=-1,
            )
            for ending in endings
        ]

    @cached_property
    def _selectable(self) -> SelectableTable:
        star = read_star(self._spec.path)
        place, *_ = first_sample(star, COORDINATES) or COORDINATES
        block = table_with(star, place, "particles")
        table = star.read(block, [place, TOMOGRAM, TOMOGRAM_HASH])
        return selectable_table(star, block, _tomograms(table))


def first_sample(star: StarFile, names: tuple[str, ...]) -> tuple[str, ...] | None:
    """Columns of the first sample in time, of a table that has all of them."""
    for candidates in (names, tuple(f"{name}1" for name in names)):
        if any(set(candidates) <= set(block.columns) for block in star.tables):
            return candidates
    return None


def _tomograms(table: pd.DataFrame) -> NDArray[np.object_]:
    """Tomogram of each row; those of one name and different hashes are told apart by it."""
    if TOMOGRAM not in table:
        names = table[TOMOGRAM_HASH] if TOMOGRAM_HASH in table else np.full(len(table), "")
        return np.asarray(names, dtype=object)
    name = table[TOMOGRAM]
    if TOMOGRAM_HASH in table:
        sources = table[[TOMOGRAM, TOMOGRAM_HASH]].drop_duplicates()[TOMOGRAM]
        is_shared = name.isin(sources[sources.duplicated()])
        name = name.where(~is_shared, name + " " + table[TOMOGRAM_HASH])
    return name.to_numpy(dtype=object)
