"""The particles of a set: names, poses and places, as far as they do not depend on tilt images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.plugins.readers.optimisation_set.files import particles_table
from tomodrgn.plugins.readers.optimisation_set.numbers import triples
from tomodrgn.plugins.readers.optimisation_set.optics import read_optics
from tomodrgn.plugins.readers.optimisation_set.places import place_particles
from tomodrgn.plugins.readers.optimisation_set.refined_particles import (
    OWN,
    PLACES,
    POSES,
    orientations,
    origins_a,
    refined_particles,
)
from tomodrgn.plugins.readers.optimisation_set.tomograms import is_warp_name
from tomodrgn.plugins.readers.upstream_files import set_columns as columns
from tomodrgn.plugins.readers.upstream_files.angle_units import say_poses_in_radians
from tomodrgn.plugins.readers.upstream_files.refined_columns import as_first_stated
from tomodrgn.plugins.readers.upstream_files.repeats import find_repeats, repeat_error, unique_names
from tomodrgn.plugins.readers.upstream_files.star_write import rank_of_pairs

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarFile
    from tomodrgn.plugins.readers.optimisation_set.files import SetFiles
    from tomodrgn.plugins.readers.optimisation_set.optics import SetOptics
    from tomodrgn.plugins.readers.optimisation_set.places import Places
    from tomodrgn.plugins.readers.optimisation_set.refined_particles import RefinedParticles
    from tomodrgn.plugins.readers.optimisation_set.tomograms import Tomograms
    from tomodrgn.plugins.readers.specs import OptimisationSetSpec


@dataclass(frozen=True, kw_only=True)
class SetParticles:
    """What the files of a set say about its B particles, before their tilt images.

    Attributes:
        source: the file that the user gave.
        path: the particles file.
        table: the known columns of all particles, as text.
        optics: their optics groups.
        pixel_size_a: of their images, as stated or as the user says.
        tomogram_of: (B,) tomogram of each, by first appearance.
        has_poses: whether there are angles.
        orientation: (B, 3, 3) reference to tomogram coordinates, no rotation without angles.
        extraction: (B, 3, 3) orientation of extraction, a part of the former, or None.
        origin_a: (B, 3) coordinate less centre, in tomogram coordinates.
        places: where they lie.
        refined: by what they differ from those stated first, or None.
    """

    source: Path
    path: Path
    table: pd.DataFrame
    optics: SetOptics
    pixel_size_a: float
    tomogram_of: NDArray[np.int64]
    has_poses: bool
    orientation: NDArray[np.float64]
    extraction: NDArray[np.float64] | None
    origin_a: NDArray[np.float64]
    places: Places
    refined: RefinedParticles | None


def read_particles(star: StarFile) -> pd.DataFrame:
    """The known columns of all particles, as text.

    Raises:
        DataError: there are none, or two share a name.
    """
    table = star.read(particles_table(star), (*columns.PARTICLE_COLUMNS, *OWN))
    if table.empty:
        raise DataError(f"{star.path}: has no rows, so there are no particles; export it again")
    if columns.PARTICLE not in table and columns.STACK not in table:
        table[columns.PARTICLE] = _names_of_picks(table, star.path)
    refuse_repeats(star, table)
    return table


def refuse_repeats(star: StarFile, table: pd.DataFrame) -> None:
    """Refuse rows with the name or the stack of another; say what they are.

    Args:
        star: the particles file.
        table: the columns of its particles that name them.

    Raises:
        DataError: two rows share a name or a stack.
    """
    for shared, column in (("name", columns.PARTICLE), ("stack", columns.STACK)):
        if column not in table or table[column].is_unique:
            continue
        keys = table[column].to_numpy(dtype=object)
        if shared == "name":
            keys = rank_of_pairs(table[columns.TOMOGRAM].to_numpy(dtype=object), keys)
        repeats = find_repeats(keys)
        if len(repeats.later):
            raise repeat_error(
                star, particles_table(star), repeats,
                thing="particle", same=columns.PLACES, shared=shared,
            )  # fmt: skip


def particle_names(table: pd.DataFrame) -> NDArray[np.object_]:
    """(B,) names, unique within a tomogram."""
    column = columns.PARTICLE if columns.PARTICLE in table else columns.STACK
    return table[column].to_numpy(dtype=object)


def _names_of_picks(table: pd.DataFrame, path: Path) -> NDArray[np.object_]:
    """(B,) names of particles that were never extracted: their numbers, or where they lie."""
    choices = [
        (columns.PARTICLE_NUMBER,),
        columns.CENTRED_A,
        columns.COORDINATES_PX,
        (*columns.COORDINATES_PX, *columns.EULER_ANGLES),
    ]
    first = as_first_stated(table, (*POSES, *PLACES))
    return unique_names(first, table[columns.TOMOGRAM].to_numpy(dtype=object), choices, path)


def describe_particles(
    files: SetFiles,
    table: pd.DataFrame,
    tomograms: Tomograms | None,
    tomogram_of: NDArray[np.int64],
    spec: OptimisationSetSpec,
    *,
    needs_images: bool = True,
) -> SetParticles:
    """Poses and places of particles.

    Args:
        files: the set.
        table: its particles, as :func:`read_particles` returns them.
        tomograms: its tomograms, where they are known.
        tomogram_of: (B,) tomogram of each particle.
        spec: pixel sizes of images and of coordinates, instead of those that the files state.
        needs_images: whether tilt images are wanted, or places of particles will do.

    Raises:
        DataError: a value cannot be understood, or no pixel size is known.
    """
    path = files.particles.path
    optics = read_optics(files.particles, table, pixel_size_a=spec.pixel_size_a)
    unit_a = (
        _unit_of_coordinates_a(table, optics, tomograms, tomogram_of)
        if spec.coordinate_pixel_size_a is None
        else np.full(len(table), spec.coordinate_pixel_size_a)
    )
    is_wanted = needs_images and columns.STACK in table and not optics.are_volumes
    image_a = optics.pixel_size_a
    if image_a is None:
        has_none = needs_images and not is_wanted
        image_a = _unstated_pixel_size_a(unit_a, path, is_wanted=is_wanted, has_none=has_none)
    _say_radians(table, path)
    origin_a = origins_a(table, path, image_a)
    priors_deg = triples(table, columns.SUBTOMOGRAM_ANGLES, path, quantity="angle_deg")
    size_a = None if tomograms is None else tomograms.size_a[tomogram_of]
    return SetParticles(
        source=files.path,
        path=path,
        table=table,
        optics=optics,
        pixel_size_a=image_a,
        tomogram_of=tomogram_of,
        has_poses=bool({columns.EULER_ANGLES[0], columns.SUBTOMOGRAM_ANGLES[0]} & set(table)),
        orientation=orientations(table, path),
        extraction=None if priors_deg is None else matrices_from_euler(priors_deg),
        origin_a=origin_a,
        places=place_particles(table, path, origin_a, size_a=size_a, unit_a=unit_a),
        refined=refined_particles(table, path, pixel_size_a=image_a, unit_a=unit_a),
    )


def _unstated_pixel_size_a(
    unit_a: NDArray[np.float64], path: Path, *, is_wanted: bool, has_none: bool
) -> float:
    """Pixel size of images where the file states none; NaN where there are no images either.

    Args:
        unit_a: (B,) angstrom per pixel of coordinates.
        path: the file, for the error.
        is_wanted: whether there are images, and they are wanted.
        has_none: whether images are wanted, and there are none.
    """
    if not is_wanted and np.isfinite(unit_a).all():
        return float(unit_a[0])  # there are no images whose pixels it could be
    if has_none:
        return np.nan  # the want of images is told by others
    raise DataError(
        f"{path}: states no pixel size ({columns.IMAGE_PIXEL_SIZE} or "
        f"{columns.SERIES_PIXEL_SIZE} in data_optics); give it with --Apix"
    )


def _say_radians(table: pd.DataFrame, path: Path) -> None:
    """Say where angles seem to be in radians; angles relative to those of extraction are small."""
    euler_deg = triples(table, columns.EULER_ANGLES, path, quantity="angle_deg")
    if euler_deg is not None and columns.SUBTOMOGRAM_ANGLES[0] not in table:
        say_poses_in_radians(euler_deg, path)


def _unit_of_coordinates_a(
    table: pd.DataFrame,
    optics: SetOptics,
    tomograms: Tomograms | None,
    tomogram_of: NDArray[np.int64],
) -> NDArray[np.float64]:
    """(B,) angstrom per pixel of coordinates, NaN where it is not stated.

    WarpTools counts pixels of extracted images, RELION those of the tilt series.
    """
    is_warptools = (
        table[columns.TOMOGRAM].map(is_warp_name).all()
        if tomograms is None
        else tomograms.is_warptools
    )
    if is_warptools:
        return optics.group_pixel_size_a[optics.group]
    unit_a = optics.series_pixel_size_a[optics.group]
    if tomograms is None:
        return unit_a
    of_tomogram = tomograms.pixel_size_a[tomogram_of]
    return np.where(np.isnan(of_tomogram), unit_a, of_tomogram)
