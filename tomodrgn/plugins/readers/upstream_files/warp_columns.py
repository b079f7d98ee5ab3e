"""What Warp, M, cryoSRPNT and nextPYP call the columns of an image series, and which are needed.

RELION 3.1 and nextPYP state what the images of an optics group share in a table of its own; see
:mod:`~.optics_groups`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.foreign_files import EXPORT_IMAGES
from tomodrgn.core.files.star import list_names
from tomodrgn.core.files.star_tables import the_one_table

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from tomodrgn.core.files.star import StarBlock, StarFile

IMAGE: Final = "rlnImageName"
PARTICLE: Final = "rlnGroupName"
PARTICLE_OF_NEXTPYP: Final = "rlnGroupNumber"
TOMOGRAM: Final = "rlnMicrographName"
EULER_ANGLES: Final = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
TILT_COSINE: Final = "rlnCtfScalefactor"
DOSE: Final = "rlnCtfBfactor"
PRE_EXPOSURE: Final = "rlnMicrographPreExposure"
STAGE_TILTS: Final = ("rlnTomoNominalStageTiltAngle", "rlnTomoYTilt")
DOSES: Final = (DOSE, PRE_EXPOSURE)
EXPOSURE: Final = (*DOSES, TILT_COSINE, *STAGE_TILTS)
"""Columns that tell the exposures of a particle apart."""

_STAND_INS: Final = {
    DOSE: frozenset({PRE_EXPOSURE}),
    TILT_COSINE: frozenset(STAGE_TILTS),
}
"""Columns that say the same in files of other programs."""

HALF_SET: Final = "rlnRandomSubset"
COORDINATES: Final = ("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ")
MAGNIFICATION: Final = "rlnMagnification"
DETECTOR_PIXEL_SIZE: Final = "rlnDetectorPixelSize"
PIXEL_SIZES: Final = ("rlnImagePixelSize", "rlnPixelSize")
SHIFTS_PX: Final = ("rlnOriginX", "rlnOriginY")
SHIFTS_A: Final = ("rlnOriginXAngst", "rlnOriginYAngst")
CTF: Final = {
    "defocus_u_a": "rlnDefocusU",
    "defocus_v_a": "rlnDefocusV",
    "defocus_angle_deg": "rlnDefocusAngle",
    "voltage_kv": "rlnVoltage",
    "cs_mm": "rlnSphericalAberration",
    "amplitude_contrast": "rlnAmplitudeContrast",
    "phase_shift_deg": "rlnPhaseShift",
}
"""Columns of the contrast transfer function by the field of ``CtfTable`` that they fill."""

NUMBERS: Final = (
    *(*EULER_ANGLES, *EXPOSURE, MAGNIFICATION, DETECTOR_PIXEL_SIZE),
    *(*PIXEL_SIZES, *SHIFTS_PX, *SHIFTS_A),
    *CTF.values(),
)
"""Columns that a reader reads as numbers."""

KNOWN: Final = (IMAGE, TOMOGRAM, HALF_SET, *NUMBERS)
"""Every column that a reader looks at beside the name of the particle; others stay unread."""

_BARE_IMAGES: Final = (".mrcs", ".mrc", ".st", ".txt", ".cs")
_OF_CRYOSPARC: Final = (
    f" (cryoSPARC processes single-particle images without tilts: {EXPORT_IMAGES})"
)


def refuse_bare_images(path: Path) -> None:
    """Refuse a file that can only hold images.

    Raises:
        DataError: its ending says so.
    """
    if path.suffix.lower() in _BARE_IMAGES:
        of_cryosparc = _OF_CRYOSPARC if path.suffix.lower() == ".cs" else ""
        raise DataError(
            f"{path}: a {path.suffix} file holds no tilt metadata; give a STAR file with one row "
            f"per tilt image and the columns {', '.join(needed_columns())}{of_cryosparc}"
        )


def needed_columns(particle: str = PARTICLE) -> tuple[str, ...]:
    """Columns without which a table is no image series.

    Args:
        particle: the column that names the particle.
    """
    return IMAGE, particle, *EULER_ANGLES, TILT_COSINE, DOSE


def missing_columns(found: Collection[str], particle: str = PARTICLE) -> list[str]:
    """Needed columns that a table lacks, with what stands for them.

    A set without any column of the contrast transfer function, such as noise-free simulations,
    may also lack the dose.
    """
    missing = [
        name
        for name in needed_columns(particle)
        if name not in found and _STAND_INS.get(name, frozenset()).isdisjoint(found)
    ]
    return [] if missing == [DOSE] and set(CTF.values()).isdisjoint(found) else missing


def image_series_table(star: StarFile, particle: str = PARTICLE) -> StarBlock:
    """The table of tilt images, which has every needed column.

    Args:
        star: the file.
        particle: the column that names the particle.

    Raises:
        DataError: columns are missing; it names them. Or two tables have them, and differ.
    """
    fitting = [table for table in star.tables if not missing_columns(table.columns, particle)]
    if fitting:
        return the_one_table(star, fitting, "tilt images")
    found = star.table_with(IMAGE).columns
    missing = missing_columns(found, particle)
    plural = "columns {} are" if missing[1:] else "column {} is"
    raise DataError(
        f"{star.path}: {plural.format(', '.join(missing))} missing; an image series needs "
        f"{', '.join(map(_in_words, needed_columns(particle)))}; found {list_names(found)}"
    )


def _in_words(column: str) -> str:
    """A needed column with those that stand for it."""
    others = sorted(_STAND_INS.get(column, ()))
    return f"{column} (or {', '.join(others)})" if others else column


def check_groups_of_columns(found: Collection[str], where: object) -> None:
    """Refuse a table with some of the columns that belong together.

    Raises:
        DataError: columns are missing beside others; it names them.
    """
    for group in (CTF.values(), SHIFTS_PX, SHIFTS_A):
        needed = [name for name in group if name != CTF["phase_shift_deg"]]  # 0 without a plate
        absent = [name for name in needed if name not in found]
        if absent and not set(group).isdisjoint(found):
            raise DataError(
                f"{where}: {', '.join(absent)} missing beside "
                f"{', '.join(name for name in group if name in found)}; give all of them or none"
            )
