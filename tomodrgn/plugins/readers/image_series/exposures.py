"""Dose and tilt of each row of an image series, from whichever columns its program fills.

Warp 1, M and nextPYP write the dose as ``rlnCtfBfactor`` / -4 and the cosine of the tilt, without
its sign, as ``rlnCtfScalefactor``. Converters from RELION write 0 for the former and the dose
before the exposure as ``rlnMicrographPreExposure``; RELION can refine the latter, to scales that
are no cosines. The tilt of the stage, where a column has it, is the tilt. A scale factor of 0
switches an image off.

Source:
    Warp 1 (doi:10.1038/s41592-019-0580-y), RELION 5 (doi:10.1039/D4FD00071D), cryoDRGN 4.3.1 and
    RECOVAR 1.0.5 as they write files.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from tomodrgn.core.files.star import numeric_column
from tomodrgn.core.physics.spans import SPANS
from tomodrgn.plugins.readers.upstream_files import warp_columns as columns
from tomodrgn.plugins.readers.upstream_files.angle_units import refuse_tilts_in_radians
from tomodrgn.plugins.readers.upstream_files.bounds import bounded_column, refuse_rows
from tomodrgn.plugins.readers.upstream_files.scale_factors import (
    LARGEST_COSINE,
    are_refined,
    refuse_scales,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_FOLLOWS: Final = 0.9
"""Correlation above which a B-factor is taken for -4 times the dose that is stated beside it."""


class Exposures(NamedTuple):
    """(rows,) dose, signed tilt where the file has the sign, and whether an image is off."""

    dose_e_per_a2: NDArray[np.float32]
    tilt_deg: NDArray[np.float32]
    is_dark: NDArray[np.bool_]


def read_exposures(table: pd.DataFrame, path: Path) -> Exposures:
    """The exposure of every row.

    Args:
        table: rows as text or numbers.
        path: the file, for errors.

    Raises:
        DataError: a value cannot be; its row is named.
    """
    scale = None
    if columns.TILT_COSINE in table:
        scale = numeric_column(table, columns.TILT_COSINE, path)
    return Exposures(
        dose_e_per_a2=_dose_e_per_a2(table, path),
        tilt_deg=_tilt_deg(table, path, scale),
        is_dark=np.zeros(len(table), dtype=bool) if scale is None else scale == 0,
    )


def _dose_e_per_a2(table: pd.DataFrame, path: Path) -> NDArray[np.float32]:
    stated = of_b_factor = np.zeros(len(table))
    if columns.PRE_EXPOSURE in table:
        stated = bounded_column(table, columns.PRE_EXPOSURE, path, "dose_e_per_a2")
    if columns.DOSE in table:
        b_factor = numeric_column(table, columns.DOSE, path)
        if not stated.any() or not b_factor.any() or _follows(-b_factor, stated):
            _refuse_b_factors(table, path, b_factor)
            of_b_factor = np.abs(b_factor / -4)
        else:
            logger.warning(
                "%s: %s does not follow %s, so it is no dose, and is left out",
                path, columns.DOSE, columns.PRE_EXPOSURE,
            )  # fmt: skip
    if of_b_factor.any():
        return of_b_factor.astype(np.float32)
    if stated.any():
        logger.info(
            "%s: doses are taken from %s, which is the dose before each exposure",
            path, columns.PRE_EXPOSURE,
        )  # fmt: skip
    elif columns.DOSE not in table:
        logger.warning(
            "%s: has no column %s; every dose is taken to be 0, set it with --dose-override",
            path, " or ".join(columns.DOSES),
        )  # fmt: skip
    return stated.astype(np.float32)


def _follows(dose: NDArray[np.float64], stated: NDArray[np.float64]) -> bool:
    """Whether two columns rise together."""
    if not np.ptp(dose) or not np.ptp(stated):
        return True
    return bool(np.corrcoef(dose, stated)[0, 1] > _FOLLOWS)


def _refuse_b_factors(table: pd.DataFrame, path: Path, b_factor: NDArray[np.float64]) -> None:
    """Refuse B-factors that are no doses."""
    refuse_rows(table, columns.DOSE, path, b_factor > 0, "positive; it is -4 times the dose")
    dose = np.abs(b_factor / -4)
    fault = f"-4 times a dose {SPANS['dose_e_per_a2'].fault(float(dose.max()))}"
    refuse_rows(table, columns.DOSE, path, SPANS["dose_e_per_a2"].excludes(dose), fault)


def _tilt_deg(
    table: pd.DataFrame, path: Path, scale: NDArray[np.float64] | None
) -> NDArray[np.float32]:
    stage = next((name for name in columns.STAGE_TILTS if name in table), None)
    if stage is None:
        if scale is None:
            raise ValueError("the table has no column of the tilt")
        is_bad = (scale < 0) | (scale > LARGEST_COSINE)
        fault = (
            "no cosine of a tilt angle (0 to 1); where scales were refined, tilts are needed in "
            f"{' or '.join(columns.STAGE_TILTS)}"
        )
        refuse_rows(table, columns.TILT_COSINE, path, is_bad, fault)
        return np.rad2deg(np.arccos(np.minimum(scale, 1.0))).astype(np.float32)
    tilt_deg = bounded_column(table, stage, path, "tilt_deg")
    refuse_tilts_in_radians(tilt_deg, stage, path)
    if scale is not None:
        refuse_scales(table, columns.TILT_COSINE, path, scale)
        if are_refined(scale):
            logger.info(
                "%s: %s holds refined scales (%.3g to %.3g), no cosines; tilts are taken from %s",
                path, columns.TILT_COSINE, scale.min(), scale.max(), stage,
            )  # fmt: skip
    return tilt_deg.astype(np.float32)
