"""The files of an optimisation set: which they are, where they lie, and the tables in them.

A set is a small file that names a particles file, a tomograms file and sometimes a file of
trajectories. RELION writes their paths relative to its project folder, WarpTools relative to the
set. The particles file can also be given itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import read_star
from tomodrgn.plugins.readers import set_columns as columns
from tomodrgn.plugins.readers.image_stacks import is_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tomodrgn.core.files.star import StarBlock, StarFile

_ABSENT = ("", "None")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFiles:
    """The files of a set, found and scanned.

    Attributes:
        path: the file that the user gave.
        set_file: the file that names the others; None where the particles were given themselves.
        particles: the particles file.
        tomograms: the tomograms file, or None where none is named.
        trajectories: the path of the trajectories as written, or None.
    """

    path: Path
    set_file: StarFile | None
    particles: StarFile
    tomograms: StarFile | None
    trajectories: str | None

    def find_trajectories(self) -> Path | None:
        """The file of trajectories, or None where the set names none."""
        if self.trajectories is None:
            return None
        return find_file(
            self.trajectories, self.path, "without it, leave motion out with --no-trajectories"
        )


def read_set(path: Path, tomograms: Path | None = None) -> SetFiles:
    """The files of a set.

    Args:
        path: a set, or its particles file.
        tomograms: tomograms file, instead of the one that the set names.

    Raises:
        DataError: a file that is named is missing or no STAR file, or none has particles.
    """
    given = read_star(path)
    is_set = named_value(given, columns.PARTICLES_FILE) is not None
    tomograms_path = tomograms
    if tomograms_path is None:
        written = _named_file(given, columns.TOMOGRAMS_FILE)
        if written is not None:
            tomograms_path = find_file(written, path, "give its place with --tomograms")
    return SetFiles(
        path=path,
        set_file=given if is_set else None,
        particles=_read_particles_file(given) if is_set else given,
        tomograms=None if tomograms_path is None else read_star(tomograms_path),
        trajectories=_named_file(given, columns.TRAJECTORIES_FILE),
    )


def find_file(written: str, beside: Path, way_out: str) -> Path:
    """A file that ``beside`` names.

    It is looked for relative to the folder of ``beside``, to the working folder, and to each
    folder above (RELION's project folder), then by its name alone beside it.

    Args:
        written: the path as written.
        beside: the file that names it.
        way_out: what the user can do, for the error.

    Raises:
        DataError: it is nowhere.
    """
    places = list(dict.fromkeys(_places(Path(written), beside)))
    for place in places:
        if is_file(place):
            return place
    tried = ", ".join(str(place) for place in places)
    raise DataError(f"{beside}: names {written}, which is missing; tried {tried}; {way_out}")


def named_value(star: StarFile, name: str) -> str | None:
    """The value of a name in the plain blocks of a file, or None."""
    for block in star.blocks:
        if block.values is not None and name in block.columns:
            return block.values[block.columns.index(name)]
    return None


def particles_table(star: StarFile) -> StarBlock:
    """The table of particles.

    Raises:
        DataError: no table names tomograms beside coordinates or images.
    """
    one_of = {columns.STACK, columns.COORDINATES_PX[0], columns.CENTRED_A[0]}
    for block in star.tables:
        if columns.TOMOGRAM in block.columns and one_of & set(block.columns):
            return block
    found = "; ".join(f"data_{block.name}: {', '.join(block.columns)}" for block in star.tables)
    raise DataError(
        f"{star.path}: holds no table of particles ({columns.TOMOGRAM} with one of "
        f"{', '.join(sorted(one_of))}); found {found or 'no table'}"
    )


def tomograms_table(star: StarFile) -> StarBlock:
    """The table of tomograms, one row each."""
    return star.table_with(columns.TOMOGRAM)


def frames_of_tomogram(
    star: StarFile, tomogram: str, series_file: str | None
) -> tuple[StarFile, StarBlock]:
    """The table of the tilt images of a tomogram, and the file that it stands in.

    Args:
        star: the tomograms file.
        tomogram: its name.
        series_file: path of its own file as the table of tomograms gives it, if any.

    Raises:
        DataError: there is no such table.
    """
    if series_file is not None and series_file not in _ABSENT:
        way_out = "copy the files of the tilt series beside the tomograms file"
        series = read_star(find_file(series_file, star.path, way_out))
        named = [block for block in series.tables if block.name == tomogram]
        if not series.tables:
            raise DataError(f"{series.path}: holds no table of tilt images; export it again")
        return series, (named or list(series.tables))[0]
    for block in star.tables:
        if block.name == tomogram:
            return star, block
    raise DataError(
        f"{star.path}: has no table data_{tomogram} of the tilt images of tomogram {tomogram}; "
        f"export the tomograms again"
    )


def _read_particles_file(given: StarFile) -> StarFile:
    written = _named_file(given, columns.PARTICLES_FILE)
    if written is None:
        raise DataError(f"{given.path}: names no particles file; give the particles file itself")
    return read_star(find_file(written, given.path, "correct the path or copy the file there"))


def _named_file(star: StarFile, name: str) -> str | None:
    """A path that a set names; RELION writes an empty text or None for no file."""
    value = named_value(star, name)
    return None if value in _ABSENT else value


def _places(written: Path, beside: Path) -> Iterator[Path]:
    yield beside.parent / written
    yield written
    for folder in beside.absolute().parents[1:]:
        yield folder / written
    yield beside.parent / written.name
