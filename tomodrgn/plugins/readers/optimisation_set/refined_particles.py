"""Particles of a set that was refined before: how they turned and moved since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.geometry.projections import particle_orientations
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.plugins.readers.optimisation_set.numbers import triples
from tomodrgn.plugins.readers.upstream_files import refined_columns as own
from tomodrgn.plugins.readers.upstream_files import set_columns as columns

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

POSES: Final = (*columns.EULER_ANGLES, *columns.ORIGIN_A, *columns.ORIGIN_PX)
"""What refined poses are written to."""
PLACES: Final = (*columns.SUBTOMOGRAM_ANGLES, *columns.CENTRED_A, *columns.COORDINATES_PX)
"""What they are relative to, which programs may change when they extract particles again."""
OWN: Final = (*own.own_columns((*POSES, *PLACES)), own.REFINED_IMAGES)


@dataclass(frozen=True, kw_only=True)
class RefinedParticles:
    """By what B particles differ from those that were stated first; see ``Corrections``.

    Attributes:
        rotation: (B, 3, 3) M.
        shift_a: (B, 3) d, in angstrom.
        log_scale: (B,) of their signal.
        takes_tilts: (B,) whether shifts of tilts apply to their images.
    """

    rotation: NDArray[np.float64]
    shift_a: NDArray[np.float64]
    log_scale: NDArray[np.float64]
    takes_tilts: NDArray[np.bool_]


def refined_particles(
    table: pd.DataFrame, path: Path, *, pixel_size_a: float, unit_a: NDArray[np.float64]
) -> RefinedParticles | None:
    """How particles turned and moved; None where the file was not refined.

    Args:
        table: the particles, as text.
        path: their file, for errors.
        pixel_size_a: of their images, in which origins in pixels count.
        unit_a: (B,) angstrom per pixel of coordinates, NaN where it is not known.
    """
    if not own.was_refined(table, (*POSES, *PLACES)):
        return None
    first = own.as_first_stated(table, (*POSES, *PLACES))
    orientation = orientations(table, path)
    centre_a, first_a = (
        _coordinates_a(each, path, unit_a) - origins_a(each, path, pixel_size_a)
        for each in (table, first)
    )
    takes_tilts = np.zeros(len(table), dtype=bool)
    if {own.REFINED_IMAGES, columns.STACK} <= set(table):
        takes_tilts = (table[own.REFINED_IMAGES] == table[columns.STACK]).to_numpy(dtype=bool)
    return RefinedParticles(
        rotation=orientation.mT @ orientations(first, path),
        shift_a=np.einsum("bji,bj->bi", orientation, first_a - centre_a),
        log_scale=np.log(own.numbers_or(table, [own.CONTRAST], path, 1.0)[:, 0]),
        takes_tilts=takes_tilts,
    )


def orientations(table: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    """(B, 3, 3) reference to tomogram coordinates; angles that are missing are 0."""
    euler_deg = triples(table, columns.EULER_ANGLES, path, quantity="angle_deg")
    if euler_deg is None:
        euler_deg = np.zeros((len(table), 3))
    extracted_deg = triples(table, columns.SUBTOMOGRAM_ANGLES, path, quantity="angle_deg")
    return particle_orientations(euler_deg, extracted_deg)


def origins_a(table: pd.DataFrame, path: Path, pixel_size_a: float) -> NDArray[np.float64]:
    """(B, 3) what is subtracted from coordinates to reach centres, in tomogram coordinates.

    RELION states it in the frame in which the particle was extracted.
    """
    origin = triples(table, columns.ORIGIN_A, path)
    if origin is None:
        origin_px = triples(table, columns.ORIGIN_PX, path)
        if origin_px is None:
            return np.zeros((len(table), 3))
        origin = origin_px * pixel_size_a
    priors_deg = triples(table, columns.SUBTOMOGRAM_ANGLES, path, quantity="angle_deg")
    if priors_deg is None:
        return origin
    turned: NDArray[np.float64] = np.einsum("bij,bj->bi", matrices_from_euler(priors_deg), origin)
    return turned


def _coordinates_a(
    table: pd.DataFrame, path: Path, unit_a: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(B, 3) coordinates from any point that is the same for all, 0 where they are not known."""
    centred_a = triples(table, columns.CENTRED_A, path)
    if centred_a is not None:
        return centred_a
    coordinates_px = triples(table, columns.COORDINATES_PX, path)
    if coordinates_px is None:
        return np.zeros((len(table), 3))
    return np.nan_to_num(coordinates_px * unit_a[:, None])
