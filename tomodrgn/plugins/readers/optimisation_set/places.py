"""Where the particles of a set lie in their tomograms, in angstrom.

Coordinates are in angstrom from the middle of the tomogram (RELION 5), or in pixels from its
corner.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.plugins.readers.optimisation_set.numbers import triples
from tomodrgn.plugins.readers.upstream_files import set_columns as columns

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where B particles lie in their tomograms, in angstrom.

    Attributes:
        position_a: (B, 3) centre from the first voxel, or None where it is unknown.
        offset_a: (B, 3) centre from the middle of the tomogram, or None where it is unknown.
    """

    position_a: NDArray[np.float64] | None = None
    offset_a: NDArray[np.float64] | None = None


def place_particles(
    table: pd.DataFrame,
    path: Path,
    origin_a: NDArray[np.float64],
    *,
    size_a: NDArray[np.float64] | None,
    unit_a: NDArray[np.float64],
) -> Places:
    """Centres of particles: their coordinates less their origins.

    Args:
        table: the particles, as text.
        path: their file, for errors.
        origin_a: (B, 3) coordinate less centre.
        size_a: (B, 3) sizes of their tomograms, NaN where it is not known; None for no tomograms.
        unit_a: (B,) pixel size of coordinates that are in pixels, NaN where it is not known.
    """
    half_size_a = None if size_a is None or np.isnan(size_a).any() else size_a / 2
    centred_a = triples(table, columns.CENTRED_A, path)
    if centred_a is not None:
        offset_a = centred_a - origin_a
        if half_size_a is None:
            _say_unknown(path, "positions from the corner of a tomogram")
        return Places(
            position_a=None if half_size_a is None else offset_a + half_size_a, offset_a=offset_a
        )
    coordinates_px = triples(table, columns.COORDINATES_PX, path)
    if coordinates_px is None:
        return Places()
    if np.isnan(unit_a).any():
        _say_unknown(path, "the pixel size of coordinates")
        return Places()
    position_a = coordinates_px * unit_a[:, None] - origin_a
    if half_size_a is None:
        return Places(position_a=position_a)
    _warn_if_outside(path, position_a, 2 * half_size_a, float(unit_a[0]))
    return Places(position_a=position_a, offset_a=position_a - half_size_a)


def _warn_if_outside(
    path: Path, position_a: NDArray[np.float64], size_a: NDArray[np.float64], unit_a: float
) -> None:
    is_inside = ((position_a >= 0) & (position_a <= size_a)).all(axis=1)
    n_outside = len(position_a) - int(is_inside.sum())
    if n_outside > 0.5 * len(position_a):
        logger.warning(
            "%s: %d of %d particles lie outside their tomogram when coordinates are in pixels of "
            "%g A; check the tomogram sizes and pixel sizes of the set",
            path, n_outside, len(position_a), unit_a,
        )  # fmt: skip


def _say_unknown(path: Path, what: str) -> None:
    logger.warning(
        "%s: %s cannot be told without the sizes and pixel sizes of the tomograms; give their "
        "file with --tomograms",
        path, what,
    )  # fmt: skip
