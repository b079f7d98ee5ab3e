"""Part of a set: the set, its particles, tomograms and trajectories, written together.

Rows of particles stay as they are. A particle that loses some of its images keeps its row, with
these frames switched off; that needs stacks which hold all frames.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.file_names import file_stems
from tomodrgn.core.files.frame_lists import with_flags
from tomodrgn.core.files.named_files import SearchOrder
from tomodrgn.core.files.star import read_star
from tomodrgn.core.files.star_columns import with_values
from tomodrgn.core.files.star_selection import (
    RowSelection,
    TableLines,
    selected,
    write_together,
)
from tomodrgn.core.interfaces import SourceRows
from tomodrgn.plugins.readers.optimisation_set import tomograms
from tomodrgn.plugins.readers.optimisation_set.files import (
    FileFinder,
    particles_table,
    read_set,
    tomograms_table,
)
from tomodrgn.plugins.readers.optimisation_set.frame_stacks import find_stacks
from tomodrgn.plugins.readers.optimisation_set.joined_sets import refuse_joined_tomograms
from tomodrgn.plugins.readers.optimisation_set.particles import refuse_repeats
from tomodrgn.plugins.readers.optimisation_set.visible_frames import FrameLists, parse_frame_lists
from tomodrgn.plugins.readers.upstream_files import set_columns as columns
from tomodrgn.plugins.readers.upstream_files.refined_columns import remarked
from tomodrgn.plugins.readers.upstream_files.star_write import mask_of, used_optics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarFile
    from tomodrgn.plugins.readers.optimisation_set.files import SetFiles
    from tomodrgn.plugins.readers.specs import OptimisationSetSpec
    from tomodrgn.plugins.readers.upstream_files.refined_columns import ColumnChanges

    Parts = Iterable[bytes]
    Columns = Mapping[str, NDArray[np.object_]]

logger = logging.getLogger(__name__)

_OF_SET: Final = "_optimisation_set"
_KNOWN: Final = (columns.TOMOGRAM, columns.PARTICLE, columns.STACK, columns.VISIBLE_FRAMES)
_MANIFOLDS_FILE: Final = "rlnTomoManifoldsFile"
_TRAJECTORY_COUNT: Final = "rlnParticleNumber"
"""RELION refuses trajectories that are not as many as the particles."""


@dataclass(frozen=True)
class SelectableSet:
    """The files of a set, of which parts can be written."""

    spec: OptimisationSetSpec

    @cached_property
    def rows(self) -> SourceRows:
        """The particle of each place in the lists of frames, or of each row without such lists."""
        tomogram = self._table[columns.TOMOGRAM].to_numpy(dtype=object)
        frames = self.frames
        of_row = np.arange(len(tomogram)) if frames is None else frames.particle_of_entry
        return SourceRows(particle=of_row.astype(np.int64), tomogram=tomogram)

    def write(
        self, rows: NDArray[np.int64], out: Path, new_columns: Columns | None = None
    ) -> list[Path]:
        """As ``write_selection`` of a reader."""
        keeps, frame_texts = self._kept_particles(rows)
        particles = self._particle_parts(keeps, frame_texts, new_columns or {})
        tomograms: Parts | None = None
        if self.files.set_file is not None and self.files.tomograms is not None:
            tomograms = self._tomogram_parts(self.files.tomograms, keeps, out)
        return self._write(out, particles, tomograms, keeps)

    def write_changed(
        self, out: Path, particles: ColumnChanges, tilts: Mapping[str, ChangedTilts]
    ) -> list[Path]:
        """Write all of the set, with other values in some columns.

        Args:
            out: the set to write.
            particles: changes of its particles.
            tilts: changes of tilt images by the name of their tomogram; none where the set is given
                by its particles alone.
        """
        keeps = np.ones(len(self._table), dtype=bool)
        table = RowSelection(
            table=self.lines,
            keeps=keeps,
            replaced=particles.replaced,
            appended=particles.appended,
        )
        parts = remarked(self.lines.star, selected(self.lines.star, [table]))
        if self.files.set_file is None or self.files.tomograms is None:
            return self._write(out, parts, None, keeps)
        tomograms, series = self._changed_tomograms(self.files.tomograms, tilts, out)
        return self._write(out, parts, tomograms, keeps, series)

    def _write(
        self,
        out: Path,
        particles: Parts,
        tomograms: Parts | None,
        keeps: NDArray[np.bool_],
        series: Mapping[Path, Parts] | None = None,
    ) -> list[Path]:
        """Write the set and what it names, or the particles where these were given themselves."""
        files = self.files
        if files.set_file is None:
            return write_together({out: particles}, self._inputs())
        beside = {what: out.with_name(f"{_base(out)}_{what}.star") for what in _PARTS}
        folder = _folder_as_named(files.set_file, out)
        named = {columns.PARTICLES_FILE: folder + beside["particles"].name}
        parts: dict[Path, Parts] = {beside["particles"]: particles}
        if tomograms is not None:
            named[columns.TOMOGRAMS_FILE] = folder + beside["tomograms"].name
            parts |= {beside["tomograms"]: tomograms, **(series or {})}
        if self._trajectories is not None:
            named[columns.TRAJECTORIES_FILE] = folder + beside["trajectories"].name
            parts[beside["trajectories"]] = self._trajectory_parts(self._trajectories, keeps)
        named |= self._moved_manifolds(files.set_file, out)
        return write_together({out: [with_values(files.set_file, named)], **parts}, self._inputs())

    @cached_property
    def files(self) -> SetFiles:
        """The files of the set."""
        return read_set(self.spec.path, self.spec.tomograms)

    @cached_property
    def lines(self) -> TableLines:
        """The lines of the table of particles."""
        star = self.files.particles
        return TableLines(star, particles_table(star))

    @cached_property
    def _table(self) -> pd.DataFrame:
        table = self.lines.star.read(self.lines.block, _KNOWN)
        refuse_repeats(self.lines.star, table)
        star = self.files.tomograms
        if star is not None:
            known = star.read(tomograms_table(star), [columns.TOMOGRAM])[columns.TOMOGRAM]
            wanted = table[columns.TOMOGRAM].unique().tolist()
            tomograms.refuse_repeats(known.to_numpy(dtype=object), wanted, star)
            refuse_joined_tomograms(table, self.lines.star.path, star.path, self.spec.join_by)
        return table

    @cached_property
    def frames(self) -> FrameLists | None:
        """The lists of frames of the particles; None where they have none."""
        if columns.VISIBLE_FRAMES not in self._table:
            return None
        texts = self._table[columns.VISIBLE_FRAMES].to_numpy(dtype=object)
        return parse_frame_lists(texts, self.lines.star.path)

    @cached_property
    def _trajectories(self) -> StarFile | None:
        path = self.files.find_trajectories() if self.spec.trajectories else None
        return None if path is None else read_star(path)

    def _inputs(self) -> list[Path]:
        files = self.files
        stars = (files.set_file, files.particles, files.tomograms, self._trajectories)
        return [star.path for star in stars if star is not None]

    def _kept_particles(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.bool_], dict[int, str]]:
        """Which particles stay, and the new list of frames of those that lose images."""
        frames = self.frames
        if frames is None:
            return mask_of(rows, len(self._table)), {}
        is_named = mask_of(rows, len(frames.visible))
        n_named = np.add.reduceat(is_named, frames.starts[:-1], dtype=np.int64)
        stays_visible = is_named & frames.visible
        n_visible = np.add.reduceat(stays_visible, frames.starts[:-1], dtype=np.int64)
        keeps = (n_named == frames.n_frames) | (n_visible > 0)
        loses = np.flatnonzero(keeps & (n_visible < frames.n_visible))
        self._require_all_frames(loses, frames)
        texts = self._table[columns.VISIBLE_FRAMES].to_numpy(dtype=object)
        return keeps, {
            row: with_flags(texts[row], stays_visible[frames.starts[row] : frames.starts[row + 1]])
            for row in loses.tolist()
        }

    def _require_all_frames(self, rows: NDArray[np.int64], frames: FrameLists) -> None:
        """Refuse to switch frames off in stacks that hold visible frames alone."""
        if not len(rows) or columns.STACK not in self._table:
            return
        names = self._table[columns.STACK].iloc[rows].tolist()
        lengths = frames.n_frames[rows]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        entries = np.repeat(frames.starts[rows] - starts[:-1], lengths) + np.arange(starts[-1])
        some = FrameLists(starts=starts, visible=frames.visible[entries])
        star = self.lines.star.path
        try:
            found = find_stacks(names, star, self.spec.datadir, some)
        except DataError as error:
            logger.warning("stacks were not looked at for the frames in them: %s", error)
            return
        n_images = np.array([stack.header.shape[0] for stack in found.stacks])
        short = np.flatnonzero(n_images < some.n_frames)
        if len(short):
            raise DataError(
                f"{star}: {names[short[0]]} holds visible frames alone, so none of them can be "
                f"switched off ({len(short)} such particles); filter by particle, and leave "
                "images out of a run with --ind-imgs, --max-dose or --max-tilt"
            )

    def _particle_parts(
        self, keeps: NDArray[np.bool_], frame_texts: dict[int, str], new_columns: Columns
    ) -> Iterator[bytes]:
        star, block = self.lines.star, self.lines.block
        of_particles = RowSelection(
            table=self.lines,
            keeps=keeps,
            replaced={columns.VISIBLE_FRAMES: frame_texts},
            appended={name: texts[keeps] for name, texts in new_columns.items()},
        )
        yield from selected(star, [of_particles, *used_optics(star, block, keeps)])

    def _tomogram_parts(
        self, star: StarFile, keeps: NDArray[np.bool_], out: Path
    ) -> Iterator[bytes]:
        """The tomograms that kept particles lie in, with their tilt series."""
        block = tomograms_table(star)
        table = star.read(block, [columns.TOMOGRAM, columns.TILT_SERIES_FILE])
        names = self._table[columns.TOMOGRAM][keeps].unique()
        tomograms.refuse_missing(set(table[columns.TOMOGRAM]), names.tolist(), star)
        is_used = table[columns.TOMOGRAM].isin(names)
        of_tomograms = RowSelection(
            table=TableLines(star, block),
            keeps=is_used.to_numpy(),
            replaced=_moved_series(table[is_used], star.path, out),
        )
        yield from selected(star, [of_tomograms], set(table[columns.TOMOGRAM][~is_used]))

    def _changed_tomograms(
        self, star: StarFile, tilts: Mapping[str, ChangedTilts], out: Path
    ) -> tuple[Parts, dict[Path, Parts]]:
        """The tomograms, and tilt series in files of their own that change, by the new file."""
        block = tomograms_table(star)
        table = star.read(block, [columns.TOMOGRAM, columns.TILT_SERIES_FILE])
        own = [changed.star for changed in tilts.values() if changed.star.path != star.path]
        owners = {series.path: series for series in own}
        stems = dict(zip(owners, file_stems([path.stem for path in owners]), strict=True))
        folder = f"{_base(out)}_tilt_series"
        named = _folder_as_named(self.files.set_file or star, out) + folder
        places = {path: f"{named}/{stem}.star" for path, stem in stems.items()}
        replaced = _moved_series(table, star.path, out)
        for name, changed in tilts.items():
            if changed.star.path in places:
                row = int(np.argmax(table[columns.TOMOGRAM] == name))
                replaced[columns.TILT_SERIES_FILE][row] = places[changed.star.path]
        of_tomograms = RowSelection(
            table=TableLines(star, block), keeps=np.ones(len(table), dtype=bool), replaced=replaced
        )
        series = {
            out.with_name(folder) / f"{stem}.star": _changed_tables(owners[path], tilts.values())
            for path, stem in stems.items()
        }
        return _changed_tables(star, tilts.values(), of_tomograms), series

    def _trajectory_parts(self, star: StarFile, keeps: NDArray[np.bool_]) -> Iterator[bytes]:
        """The trajectories of kept particles, which name the tables, and how many they are.

        All of them where particles have no names.
        """
        names = self._table.get(columns.PARTICLE)
        gone = set() if names is None else set(names[~keeps]) - set(names[keeps])
        kept = replace(star, content=b"".join(selected(star, [], gone)))
        n_kept = sum(
            block.name not in gone for block in star.tables if columns.ORIGIN_A[0] in block.columns
        )
        yield with_values(kept, {_TRAJECTORY_COUNT: str(n_kept)})

    def _moved_manifolds(self, star: StarFile, out: Path) -> dict[str, str]:
        """The path of a file that is not filtered, if it has another one from the new folder."""
        written = star.value_of(_MANIFOLDS_FILE)
        moved = None if written is None else _moved(written, star.path, out)
        return {} if moved is None else {_MANIFOLDS_FILE: moved}


_PARTS: Final = ("particles", "tomograms", "trajectories")


@dataclass(frozen=True)
class ChangedTilts:
    """The tilt images of one tomogram with other values.

    Attributes:
        star: the file that their table stands in.
        changes: of the table.
    """

    star: StarFile
    changes: ColumnChanges


def _folder_as_named(set_file: StarFile, out: Path) -> str:
    """The folder of ``out``, with a slash, as paths in the set count it; empty for beside it.

    RELION counts paths from its project folder, and finds nothing by others.
    """
    written = set_file.value_of(columns.PARTICLES_FILE) or ""
    found = SearchOrder(star=set_file.path, looks_above=True).find(written)
    target = out.resolve().parent
    if not found or found[0].by_name or not target.is_relative_to(found[0].base.resolve()):
        return ""
    folder = target.relative_to(found[0].base.resolve()).as_posix()
    return "" if folder == "." else f"{folder}/"


def _base(out: Path) -> str:
    """What the names of the files of a set begin with."""
    return out.stem.replace(_OF_SET, "")


def _changed_tables(
    star: StarFile, tilts: Iterable[ChangedTilts], *others: RowSelection
) -> Iterable[bytes]:
    """A file with the changes of its tables of tilt images, and with others."""
    mine = [changed.changes for changed in tilts if changed.star.path == star.path]
    tables = [
        RowSelection(
            table=TableLines(star, changes.block),
            keeps=np.ones(len(changes.table), dtype=bool),
            replaced=changes.replaced,
            appended=changes.appended,
        )
        for changes in mine
    ]
    parts = selected(star, [*others, *tables])
    return remarked(star, parts) if mine else parts


def _moved_series(table: pd.DataFrame, star: Path, out: Path) -> dict[str, dict[int, str]]:
    """Paths of tilt series in files of their own that are others from the new folder."""
    if columns.TILT_SERIES_FILE not in table:
        return {}
    rows, files = table.index.tolist(), table[columns.TILT_SERIES_FILE].tolist()
    moved = {row: _moved(file, star, out) for row, file in zip(rows, files, strict=True)}
    return {columns.TILT_SERIES_FILE: {row: file for row, file in moved.items() if file}}


def _moved(written: str, star: Path, out: Path) -> str | None:
    """A path that leads from the new file to the same place; None if the one written does."""
    if written in ("", "None"):
        return None
    found = SearchOrder(star=star, looks_above=True).find(written)
    if not found:
        return None
    target = found[0].path.resolve()
    if FileFinder(out).leads_to(written, target):
        return None
    return os.path.relpath(target, out.resolve().parent)
