"""Which built-in reader understands a file, by the columns that the reader needs.

The first lines decide, where they tell enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tomodrgn.core.files.star import read_star
from tomodrgn.plugins.readers.foreign_tables import refuse_foreign_tables
from tomodrgn.plugins.readers.upstream_files import optics_groups
from tomodrgn.plugins.readers.upstream_files import warp_columns as columns
from tomodrgn.plugins.readers.volume_series.m_volumeseries import COORDINATES as M_COORDINATES
from tomodrgn.plugins.readers.volume_series.m_volumeseries import first_sample

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tomodrgn.core.files.star import StarBlock, StarFile

_HEAD_BYTES: Final = 1 << 16


def identify(path: Path) -> str:
    """Kind of the reader for a file.

    Raises:
        DataError: no built-in reader understands it; it says what an image series lacks.
    """
    columns.refuse_bare_images(path)
    kind = _kind(read_star(path, max_bytes=_HEAD_BYTES))
    if kind is not None:
        return kind
    star = read_star(path)
    return _kind(star) or _nearest_kind(star)


def _nearest_kind(star: StarFile) -> str:
    """Kind of the image series that a file without all that its reader needs comes closest to.

    Raises:
        DataError: it is no image series; what it is instead is told, or the columns that are
            missing are named.
    """
    refuse_foreign_tables(star)
    named = (columns.PARTICLE_OF_NEXTPYP, optics_groups.GROUP)
    is_of_nextpyp = _has_table(star, named) and not _has_table(star, (columns.PARTICLE,))
    particle = columns.PARTICLE_OF_NEXTPYP if is_of_nextpyp else columns.PARTICLE
    columns.image_series_table(star, particle)
    return "nextpyp" if is_of_nextpyp else "warp_particleseries"


def _kind(star: StarFile) -> str | None:
    """Kind of the reader whose columns are there, the most specific one."""
    if _is_optimisation_set(star):
        return "optimisation_set"
    if first_sample(star, M_COORDINATES):
        return "m_volumeseries"
    if _is_nextpyp(star):
        return "nextpyp"
    for table in star.tables:
        has_place = set(columns.COORDINATES) <= set(table.columns)
        if not columns.missing_columns(table.columns):
            one_row_each = has_place and _has_one_row_per_particle(star, table)
            return "warp_volumeseries" if one_row_each else "warp_particleseries"
        if has_place and not _repeats_particles(star, table):
            return "warp_volumeseries"
    return None


def _is_optimisation_set(star: StarFile) -> bool:
    """Whether a set is named, or the particles of one are listed."""
    named = {name for block in star.tables for name in block.columns}
    places = ("rlnImageName", "rlnCoordinateX", "rlnCenteredCoordinateXAngst")
    return "rlnTomoParticlesFile" in named or any(
        _has_table(star, ("rlnTomoName", place)) for place in places
    )


def _is_nextpyp(star: StarFile) -> bool:
    """Whether a file has the tables of nextPYP, and calls particles as it does."""
    has_optics = _has_table(star, (optics_groups.GROUP, "rlnImagePixelSize"))
    number = columns.PARTICLE_OF_NEXTPYP
    return has_optics and any(
        optics_groups.GROUP in table.columns
        and not columns.missing_columns(table.columns, number)
        and (columns.PARTICLE not in table.columns or _names_particles(star, table, number))
        for table in star.tables
    )


def _names_particles(star: StarFile, table: StarBlock, column: str) -> bool:
    """Whether a column of group numbers holds names, as of nextPYP, and not counts of groups."""
    return not star.read(table, [column])[column].str.isdigit().all()


def _has_table(star: StarFile, names: Iterable[str]) -> bool:
    return any(set(names) <= set(block.columns) for block in star.tables)


def _has_one_row_per_particle(head: StarFile, table: StarBlock) -> bool:
    """Whether no particle has two rows, in the head of a file and then in all of it."""
    has_rows = table.values is not None or table.start < table.stop
    if not has_rows or _repeats_particles(head, table):
        return False
    whole = read_star(head.path)
    return not _repeats_particles(whole, whole.table_with(columns.COORDINATES[-1]))


def _repeats_particles(star: StarFile, table: StarBlock) -> bool:
    """Whether two rows name the same particle of the same tomogram."""
    names = [name for name in (columns.TOMOGRAM, columns.PARTICLE) if name in table.columns]
    rows = star.read(table, names)
    return columns.PARTICLE in names and bool(rows.duplicated().any())
