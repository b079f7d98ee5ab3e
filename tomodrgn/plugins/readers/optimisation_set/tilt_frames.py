"""The tilt images of a tomogram as its STAR table describes them: geometry, dose, tilt, defocus.

The dose is ``rlnMicrographPreExposure``, what the specimen had taken when the exposure began,
because WarpTools and RELION weight images by it and training must undo the same weights. The tilt
is the nominal one, the arccosine of ``rlnCtfScalefactor`` with the sign of the stage, where the
file has it; the angle of the projection also holds the inclination of the specimen. A scale factor
of 0 marks a dark frame. RELION can refine scale factors; where one of a tomogram is above 1 or
below 0, they are no cosines and tilts are those of the stage.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.geometry.projections import (
    is_rotation,
    nearest_rotations,
    rotations_from_stage_angles,
    stage_angles_from_rotations,
)
from tomodrgn.plugins.readers.optimisation_set.numbers import optional_column
from tomodrgn.plugins.readers.upstream_files import refined_columns as own
from tomodrgn.plugins.readers.upstream_files import set_columns as columns
from tomodrgn.plugins.readers.upstream_files.angle_units import refuse_tilts_in_radians
from tomodrgn.plugins.readers.upstream_files.bounds import bounded_column, refuse_rows
from tomodrgn.plugins.readers.upstream_files.scale_factors import are_refined, refuse_scales

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

_LARGEST_BFACTOR_A2: Final = 1e5
_MATRIX_ROW: Final = 4
_LARGEST_ENTRY: Final = 1e9  # of a matrix; shifts are in pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class TiltFrames:
    """F tilt images of one tomogram or of several, one after another.

    Attributes:
        rotation: (F, 3, 3) tomogram to image coordinates.
        is_dark: (F,) whether upstream switched the image off.
        cosine: (F,) of the nominal tilt, by which programs scale the transfer of an image; NaN
            where the file has none.
        is_refined: (F,) whether the file has a scale that is no cosine instead.
        dose_e_per_a2: (F,) dose before the exposure; NaN where the file has none.
        tilt_deg: (F,) stage tilt, with its sign.
        defocus: (F, 3) columns of ``set_columns.DEFOCUS`` at the tomogram centre; NaN for none.
        phase_shift_deg: (F,)
        b_factor_a2: (F,) of the envelope exp(-B k^2 / 4) that belongs to the transfer function.
        translation_px: (F, 3) beside the rotation; NaN where the projection is stated in angles.
        moved_a: (F, 2) by which refinement moved the content of images; 0 where it did not.
        log_scale: (F,) fitted contrast of images; 0 for none.
    """

    rotation: NDArray[np.float64]
    is_dark: NDArray[np.bool_]
    cosine: NDArray[np.float64]
    is_refined: NDArray[np.bool_]
    dose_e_per_a2: NDArray[np.float64]
    tilt_deg: NDArray[np.float64]
    defocus: NDArray[np.float64]
    phase_shift_deg: NDArray[np.float64]
    b_factor_a2: NDArray[np.float64]
    translation_px: NDArray[np.float64]
    moved_a: NDArray[np.float64]
    log_scale: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rotation)

    @property
    def has_defocus(self) -> bool:
        """Whether any tilt image has a defocus."""
        return not np.isnan(self.defocus).all()


def join_frames(parts: Sequence[TiltFrames]) -> TiltFrames:
    """The tilt images of several tomograms, one after another."""
    return TiltFrames(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(TiltFrames)
        }
    )


def parse_frames(table: pd.DataFrame, path: Path) -> TiltFrames:
    """The tilt images of one tomogram.

    Args:
        table: their rows as text.
        path: the file they stand in, for errors.

    Raises:
        DataError: a number cannot be understood, a projection is missing or no rotation.
    """
    if table.empty:
        raise DataError(f"{path}: has no rows of tilt images; export it again")
    scale = _scales(table, path)
    is_dark, is_refined = scale == 0, are_refined(scale)
    cosine = np.full(len(table), np.nan) if is_refined else np.minimum(scale, 1.0)
    rotation, translation_px = _projections(table, path)
    crooked = np.flatnonzero(~is_rotation(rotation) & ~is_dark)
    if len(crooked):
        raise DataError(
            f"{path}: row {crooked[0] + 1}: {', '.join(columns.MATRIX_ROWS)} are no rotation "
            f"({len(crooked)} such rows); export the tomograms again"
        )
    rotation = nearest_rotations(rotation)
    tilt_deg = _tilt_deg(table, path, cosine, rotation)
    return TiltFrames(
        rotation=rotation,
        is_dark=is_dark,
        cosine=np.cos(np.deg2rad(tilt_deg)) if is_refined else cosine,
        is_refined=np.full(len(table), is_refined),
        dose_e_per_a2=_dose_e_per_a2(table, path),
        tilt_deg=tilt_deg,
        defocus=_defocus(table, path),
        phase_shift_deg=optional_column(
            table, columns.PHASE_SHIFT, path, 0.0, quantity="phase_shift_deg"
        ),
        translation_px=translation_px,
        b_factor_a2=_b_factors_a2(table, path),
        moved_a=own.numbers_or(table, own.TILT_SHIFT_A, path, 0.0),
        log_scale=np.log(own.numbers_or(table, [own.TILT_CONTRAST], path, 1.0)[:, 0]),
    )


def _b_factors_a2(table: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    b_factor_a2 = optional_column(table, columns.BFACTOR, path, 0.0)
    fault = "no B-factor in A^2; RELION's damp with exp(-B k^2 / 4) and are 0 or more"
    refuse_rows(table, columns.BFACTOR, path, np.abs(b_factor_a2) > _LARGEST_BFACTOR_A2, fault)
    return b_factor_a2


def _projections(
    table: pd.DataFrame, path: Path
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(F, 3, 3) rotations and (F, 3) translations."""
    if set(columns.MATRIX_ROWS) <= set(table):
        rows = np.stack([matrix_rows(table, name, path) for name in columns.MATRIX_ROWS], axis=1)
        return rows[..., :3], rows[..., 3]
    if set(columns.STAGE_ANGLES) <= set(table):
        angles = (bounded_column(table, name, path, "angle_deg") for name in columns.STAGE_ANGLES)
        return rotations_from_stage_angles(*angles), np.full((len(table), 3), np.nan)
    raise DataError(
        f"{path}: tilt images have neither {', '.join(columns.MATRIX_ROWS)} nor "
        f"{', '.join(columns.STAGE_ANGLES)}; align the tilt series and export it again"
    )


def matrix_rows(table: pd.DataFrame, name: str, path: Path) -> NDArray[np.float64]:
    """(F, 4) numbers of a column of ``[x,y,z,w]`` texts."""
    texts = table[name].tolist()
    for number, text in enumerate(texts, start=1):
        if text.count(",") != _MATRIX_ROW - 1:
            raise DataError(
                f"{path}: column {name}, row {number}: {text[:60]!r} are not {_MATRIX_ROW} numbers"
            )
    try:
        joined = ",".join(text.strip().strip("[]") for text in texts)
        numbers = np.array(joined.split(","), dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{path}: column {name}: {error}; export the tomograms again") from error
    if not (np.abs(numbers) <= _LARGEST_ENTRY).all():
        raise DataError(
            f"{path}: column {name} holds a number that is not finite or too large; export it again"
        )
    return numbers.reshape(-1, _MATRIX_ROW)


def _scales(table: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    """(F,) scale factors, NaN where the file has none."""
    scale = optional_column(table, columns.TILT_COSINE, path)
    refuse_scales(table, columns.TILT_COSINE, path, scale)
    return scale


def _tilt_deg(
    table: pd.DataFrame, path: Path, cosine: NDArray[np.float64], rotation: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(F,) size of the tilt by its cosine if known, its sign by the stage, else by geometry."""
    stage_deg = stage_angles_from_rotations(rotation)[:, 1]
    stated = next((name for name in (columns.NOMINAL_TILT, columns.STAGE_ANGLES[1])
                   if name in table), None)  # fmt: skip
    if stated is not None:
        stage_deg = bounded_column(table, stated, path, "tilt_deg")
        refuse_tilts_in_radians(stage_deg, stated, path)
    signed = np.copysign(np.rad2deg(np.arccos(cosine)), stage_deg)
    return np.where(cosine > 0, signed, stage_deg)


def _dose_e_per_a2(table: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    return optional_column(table, columns.DOSE, path, quantity="dose_e_per_a2")


def _defocus(table: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    """(F, 3) defocus columns, NaN where the file has none of them."""
    missing = [name for name in columns.DEFOCUS.values() if name not in table]
    if len(missing) == len(columns.DEFOCUS):
        return np.full((len(table), len(columns.DEFOCUS)), np.nan)
    if missing:
        raise DataError(
            f"{path}: {', '.join(missing)} missing beside "
            f"{', '.join(name for name in columns.DEFOCUS.values() if name in table)}; "
            f"give all of them or none"
        )
    quantities = ("defocus_a", "defocus_a", "angle_deg")
    values = [
        bounded_column(table, name, path, quantity)
        for name, quantity in zip(columns.DEFOCUS.values(), quantities, strict=True)
    ]
    return np.stack(values, axis=1)
