"""STAR files that list something else than particles with tilt images, told apart by columns.

Each is refused with the program that writes it and what to give instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.foreign_files import EXPORT_IMAGES
from tomodrgn.plugins.readers.upstream_files import set_columns, warp_columns

if TYPE_CHECKING:
    from collections.abc import Collection

    from tomodrgn.core.files.star import StarFile

_GIVE_THE_SET: Final = "give the optimisation set, or the particles file that belongs to it"


@dataclass(frozen=True, slots=True)
class ForeignTable:
    """A kind of STAR file that a column, which no other has, gives away."""

    column: str
    what: str
    next_step: str


FOREIGN_TABLES: Final = (
    ForeignTable(
        "wrpMovieName",
        "lists the tilt images of one tilt series for Warp (.tomostar) and no particles",
        "export particles with WarpTools ts_export_particles --2d and give the optimisation set "
        "that is written",
    ),
    ForeignTable(
        "motl_idx",
        "is a motive list of STOPGAP, which has no tilt images",
        "convert it to a STAR file of Warp or RELION (for example with cryoCAT), " + EXPORT_IMAGES,
    ),
    ForeignTable(
        "subtomo_num",
        "is a table of STOPGAP, which has no tilt images",
        "convert the motive list to a STAR file of Warp or RELION (for example with cryoCAT), "
        + EXPORT_IMAGES,
    ),
    ForeignTable("tomo_num", "is a wedge list of STOPGAP and lists no particles", EXPORT_IMAGES),
    ForeignTable(
        "rlnJobTypeLabel",
        "holds the options of a RELION job and no particles",
        "give the STAR file of particles, or the optimisation set, that the job has written",
    ),
    ForeignTable(
        "rlnPipeLineProcessName",
        "is the pipeline of a RELION project and lists no particles",
        "give the STAR file of particles, or the optimisation set, of one of its jobs",
    ),
    ForeignTable(
        "rlnExperimentalDataStarFile",
        "names the files of a RELION refinement and lists no particles",
        "give its *_optimisation_set.star, or its *_data.star with --tomograms",
    ),
    ForeignTable(
        "rlnReferenceDimensionality",
        "describes the model of a RELION refinement and lists no particles",
        "give its *_optimisation_set.star, or its *_data.star with --tomograms",
    ),
    ForeignTable(
        "rlnFinalResolution",
        "holds the results of RELION's post-processing and no particles",
        _GIVE_THE_SET,
    ),
    ForeignTable(
        "rlnMicrographMovieName",
        "lists the movies of tilt images (RELION) and no particles",
        _GIVE_THE_SET,
    ),
    ForeignTable(
        set_columns.TILT_SERIES_FILE,
        "is of RELION 5, lists tomograms and no particles",
        _GIVE_THE_SET,
    ),
    ForeignTable(
        set_columns.TOMOGRAM_SIZE[0],
        "is of RELION or WarpTools, lists tomograms and no particles",
        _GIVE_THE_SET,
    ),
    ForeignTable(
        set_columns.TOMOGRAM,
        "lists tomograms and no particles",
        _GIVE_THE_SET,
    ),
    ForeignTable(
        set_columns.DOSE,
        "lists the tilt images of a tomogram and no particles",
        _GIVE_THE_SET,
    ),
)
"""The first one of which the column is there counts."""

_TILTS: Final = (
    *(warp_columns.TILT_COSINE, warp_columns.DOSE, set_columns.DOSE, set_columns.NOMINAL_TILT),
    *(*set_columns.STAGE_ANGLES, "rlnTiltIndex"),
)
"""Columns of which a table of tilt images has at least one."""


def refuse_foreign_tables(star: StarFile) -> None:
    """Refuse a file of which the columns are those of another kind.

    Args:
        star: a file that no reader understands.

    Raises:
        DataError: it is known; the program, where it is, and the next step are named.
    """
    found = {name for block in star.blocks for name in block.columns}
    if any(name.startswith("cisTEM") for name in found):
        raise DataError(
            f"{star.path}: a particle file of cisTEM says neither the tilt of an image nor which "
            "stack it lies in; export the particles from nextPYP or RELION as a STAR file with "
            f"{', '.join(warp_columns.needed_columns(warp_columns.PARTICLE_OF_NEXTPYP))}"
        )
    if _has_images(star):
        _refuse_single_particles(star, found)
        return
    for kind in FOREIGN_TABLES:
        if kind.column in found:
            raise DataError(f"{star.path}: {kind.what}; {kind.next_step}")
    if {"rlnCoordinateX", "rlnCoordinateY"} <= found:
        raise DataError(
            f"{star.path}: lists places of particles in two dimensions, without images; where "
            f"they are of a tilt series, {EXPORT_IMAGES}"
        )
    if {warp_columns.TOMOGRAM, "rlnMicrographMetadata", "rlnCtfMaxResolution"} & found:
        raise DataError(
            f"{star.path}: lists micrographs and no particles; of a tilt series, {_GIVE_THE_SET}"
        )


def _has_images(star: StarFile) -> bool:
    return any(warp_columns.IMAGE in block.columns for block in star.blocks)


def _refuse_single_particles(star: StarFile, found: Collection[str]) -> None:
    """Refuse images of particles that were never tilted."""
    if not any(name in found for name in _TILTS):
        raise DataError(
            f"{star.path}: lists single-particle images (RELION or cryoSPARC): no column tells "
            f"their tilt or dose ({warp_columns.TILT_COSINE}, {warp_columns.DOSE}, ...); "
            f"particles of tilt series are needed: {EXPORT_IMAGES}"
        )
