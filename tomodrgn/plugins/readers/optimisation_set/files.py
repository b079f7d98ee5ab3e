"""The files of an optimisation set: which they are, where they lie, and the tables in them.

A set is a small file that names a particles file, a tomograms file and sometimes a file of
trajectories. RELION writes their paths relative to its project folder, WarpTools relative to the
set. The particles file can also be given itself.
"""

from __future__ import annotations

import filecmp
import logging
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.named_files import SearchOrder
from tomodrgn.core.files.star import read_star
from tomodrgn.core.files.star_tables import table_with, the_one_table
from tomodrgn.plugins.readers.upstream_files import set_columns as columns

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.files.named_files import Place
    from tomodrgn.core.files.star import StarBlock, StarFile

logger = logging.getLogger(__name__)

_ABSENT = ("", "None")
_TOMOGRAMS = "global"
"""The table of tomograms as programs call it."""


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
    is_set = given.value_of(columns.PARTICLES_FILE) is not None
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


@dataclass(frozen=True)
class FileFinder:
    """Finds the files that one file of a set names, in the folders of its ``SearchOrder``.

    Attributes:
        star: the file that names the others.
    """

    star: Path
    _choices: list[tuple[Place, Place]] = field(default_factory=list, repr=False)

    def find(self, written: str, way_out: str) -> Path:
        """A file that is named.

        Args:
            written: the path as written.
            way_out: what the user can do, for the error.

        Raises:
            DataError: it is nowhere, or two files that differ are not beside the one that names it.
        """
        places = self._order.find(written)
        if not places:
            tried = ", ".join(str(place) for place in self._order.tried(written))
            raise DataError(
                f"{self.star}: names {written}, which is missing; tried {tried}; {way_out}"
            )
        unlike = [place for place in places[1:] if not _are_alike(places[0].path, place.path)]
        if unlike and places[0].base != self.star.parent:
            raise DataError(
                f"{self.star}: names {written}, which stands for two files that differ: "
                f"{places[0].path} and {unlike[0].path}; run the command in another folder, or "
                f"write the whole path of the one that belongs to the set; {way_out}"
            )
        self._choices.extend((places[0], other) for other in (unlike or places[1:])[:1])
        return places[0].path

    def say_choices(self) -> None:
        """Say in the log which of several files were taken."""
        if self._choices:
            taken, other = self._choices[0]
            logger.warning(
                "%s: %d of the files that it names %s in more than one place; %s is taken, %s is "
                "passed over", self.star, len(self._choices),
                "are" if self._choices[1:] else "is", taken.path, other.path,
            )  # fmt: skip

    def leads_to(self, written: str, target: Path) -> bool:
        """Whether a path leads to a file, and to no other."""
        return [place.path.resolve() for place in self._order.find(written)] == [target]

    @cached_property
    def _order(self) -> SearchOrder:
        return SearchOrder(star=self.star, looks_above=True)


def find_file(written: str, beside: Path, way_out: str) -> Path:
    """A file that ``beside`` names.

    Args:
        written: the path as written.
        beside: the file that names it.
        way_out: what the user can do, for the error.

    Raises:
        DataError: it is nowhere, or may be either of two.
    """
    finder = FileFinder(beside)
    path = finder.find(written, way_out)
    finder.say_choices()
    return path


def particles_table(star: StarFile) -> StarBlock:
    """The table of particles.

    Raises:
        DataError: no table names tomograms beside coordinates or images, or two do and differ.
    """
    one_of = {columns.STACK, columns.COORDINATES_PX[0], columns.CENTRED_A[0]}
    fitting = [
        block
        for block in star.tables
        if columns.TOMOGRAM in block.columns and one_of & set(block.columns)
    ]
    if fitting:
        return the_one_table(star, fitting, "particles")
    found = "; ".join(f"data_{block.name}: {', '.join(block.columns)}" for block in star.tables)
    raise DataError(
        f"{star.path}: holds no table of particles ({columns.TOMOGRAM} with one of "
        f"{', '.join(sorted(one_of))}); found {found or 'no table'}"
    )


def tomograms_table(star: StarFile) -> StarBlock:
    """The table of tomograms, one row each.

    Raises:
        DataError: there is none, or there are two that differ.
    """
    for block in star.tables:
        if block.name == _TOMOGRAMS and columns.TOMOGRAM in block.columns:
            named = [other for other in star.tables if other.name == _TOMOGRAMS]
            return the_one_table(star, named, "tomograms")
    return table_with(star, columns.TOMOGRAM, "tomograms")


def frames_of_tomogram(
    star: StarFile, tomogram: str, series_file: str | None, finder: FileFinder
) -> tuple[StarFile, StarBlock]:
    """The table of the tilt images of a tomogram, and the file that it stands in.

    Args:
        star: the tomograms file.
        tomogram: its name.
        series_file: path of its own file as the table of tomograms gives it, if any.
        finder: finds the files that the tomograms file names.

    Raises:
        DataError: there is no such table.
    """
    if series_file is not None and series_file not in _ABSENT:
        way_out = "copy the files of the tilt series beside the tomograms file"
        series = read_star(finder.find(series_file, way_out))
        named = [block for block in series.tables if block.name == tomogram]
        if not series.tables:
            raise DataError(f"{series.path}: holds no table of tilt images; export it again")
        fitting = named or [block for block in series.tables if _describes_tilts(block)]
        return series, the_one_table(series, fitting or series.tables, "tilt images")
    block = tilts_of_tomogram(star, tomogram)
    if block is not None:
        return star, block
    raise DataError(
        f"{star.path}: has no table data_{tomogram} of the tilt images of tomogram {tomogram}; "
        f"export the tomograms again"
    )


def tilts_of_tomogram(star: StarFile, tomogram: str) -> StarBlock | None:
    """The table of the tilt images of a tomogram in the tomograms file, where it has one.

    Raises:
        DataError: there are two that differ.
    """
    named = [block for block in star.tables if block.name == tomogram]
    way_out = (
        "two tomograms have this name, as where two sessions were joined; rename those of one "
        "session, also in the particles file"
    )
    what = f"tilt images of tomogram {tomogram}"
    return the_one_table(star, named, what, way_out) if named else None


def _describes_tilts(block: StarBlock) -> bool:
    return not set(columns.FRAME_COLUMNS).isdisjoint(block.columns)


def _read_particles_file(given: StarFile) -> StarFile:
    written = _named_file(given, columns.PARTICLES_FILE)
    if written is None:
        raise DataError(f"{given.path}: names no particles file; give the particles file itself")
    return read_star(find_file(written, given.path, "correct the path or copy the file there"))


def _named_file(star: StarFile, name: str) -> str | None:
    """A path that a set names; RELION writes an empty text or None for no file."""
    value = star.value_of(name)
    return None if value in _ABSENT else value


def _are_alike(one: Path, other: Path) -> bool:
    """Whether two files have the same bytes."""
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False
