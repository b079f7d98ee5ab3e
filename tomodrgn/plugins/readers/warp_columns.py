"""What Warp, M and cryoSRPNT call the columns of an image series, and whether a file has them.

Only the first lines of a file are looked at here; :mod:`~.warp_particleseries` reads the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import read_star

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from tomodrgn.core.files.star import StarBlock, StarFile

IMAGE: Final = "rlnImageName"
PARTICLE: Final = "rlnGroupName"
TOMOGRAM: Final = "rlnMicrographName"
EULER_ANGLES: Final = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
TILT_COSINE: Final = "rlnCtfScalefactor"
DOSE: Final = "rlnCtfBfactor"
DEPTH: Final = "rlnCoordinateZ"
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

NEEDED: Final = (IMAGE, PARTICLE, *EULER_ANGLES, TILT_COSINE, DOSE)
"""Columns without which a file is no image series; see :func:`image_series_table` for ``DOSE``."""

KNOWN: Final = (
    *NEEDED,
    *(TOMOGRAM, DEPTH, MAGNIFICATION, DETECTOR_PIXEL_SIZE),
    *(*PIXEL_SIZES, *SHIFTS_PX, *SHIFTS_A),
    *CTF.values(),
)
"""Every column that the reader looks at; others are carried along unread."""

_BARE_IMAGES: Final = (".mrcs", ".mrc", ".st", ".txt", ".cs")
_HEAD_BYTES: Final = 1 << 16


def check_image_series(path: Path) -> None:
    """Refuse a file that is no image series, by its first lines.

    Raises:
        DataError: it says what is missing.
    """
    refuse_bare_images(path)
    head = read_star(path, max_bytes=_HEAD_BYTES)
    table = image_series_table(head)
    if DEPTH in table.columns:
        refuse_volume_series(path, head.read(table, [PARTICLE])[PARTICLE])


def refuse_bare_images(path: Path) -> None:
    """Refuse a file that can only hold images.

    Raises:
        DataError: its ending says so.
    """
    if path.suffix.lower() in _BARE_IMAGES:
        raise DataError(
            f"{path}: a {path.suffix} file holds no tilt metadata; give a STAR file with one row "
            f"per tilt image and the columns {', '.join(NEEDED)}"
        )


def refuse_volume_series(path: Path, particle_of_row: pd.Series) -> None:
    """Refuse particles with coordinates and a single row each.

    Raises:
        DataError: the file has one row per particle.
    """
    if len(particle_of_row) and particle_of_row.is_unique:
        raise DataError(
            f"{path}: has {DEPTH} and one row per particle, so it is a volume series; give the "
            f"image series, which has one row per tilt image"
        )


def image_series_table(star: StarFile) -> StarBlock:
    """The table of tilt images, which has every needed column.

    A set without any column of the contrast transfer function, such as noise-free simulations,
    may also lack the dose.

    Raises:
        DataError: columns are missing; it names them.
    """
    table = star.table_with(IMAGE)
    found = set(table.columns)
    missing = [name for name in NEEDED if name not in found]
    if missing == [DOSE] and found.isdisjoint(CTF.values()):
        missing = []
    if missing:
        plural = "columns {} are" if missing[1:] else "column {} is"
        raise DataError(
            f"{star.path}: {plural.format(', '.join(missing))} missing; an image series needs "
            f"{', '.join(NEEDED)}; found {', '.join(table.columns)}"
        )
    for group in (CTF.values(), SHIFTS_PX, SHIFTS_A):
        absent = [name for name in group if name not in found]
        if absent and len(absent) < len(group):
            raise DataError(
                f"{star.path}: {', '.join(absent)} missing beside "
                f"{', '.join(name for name in group if name in found)}; give all of them or none"
            )
    return table
