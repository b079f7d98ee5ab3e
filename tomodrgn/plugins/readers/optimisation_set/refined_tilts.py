"""Shifts and contrast of tilts in the tables of tilt series.

RELION finds a particle where its projection and the shift of the tilt lead; a content that has to
move by some angstrom lies that much before the place. WarpTools writes sets for images that are
extracted already, and its matrices say nothing of where images lie.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from tomodrgn.core.files.star import numeric_column
from tomodrgn.plugins.readers.optimisation_set.files import (
    FileFinder,
    frames_of_tomogram,
    tomograms_table,
)
from tomodrgn.plugins.readers.optimisation_set.tilt_frames import matrix_rows
from tomodrgn.plugins.readers.optimisation_set.tomograms import is_warp_name
from tomodrgn.plugins.readers.optimisation_set.write import ChangedTilts
from tomodrgn.plugins.readers.upstream_files import refined_columns as own
from tomodrgn.plugins.readers.upstream_files import set_columns as columns
from tomodrgn.plugins.readers.upstream_files.refined_columns import ColumnChanges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarFile
    from tomodrgn.core.particles.corrections import Corrections
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.plugins.readers.optimisation_set.write import SelectableSet

_SHIFTS_A: Final = ("rlnTomoXShiftAngst", "rlnTomoYShiftAngst")
_MATRIX_ROWS: Final = columns.MATRIX_ROWS[:2]
_SAME_A: Final = 0.01
_NO_PLACE: Final = (
    "shifts of tilts: matrices of WarpTools say nothing of where images lie; they are kept in "
    f"{' and '.join(own.TILT_SHIFT_A)} for tomodrgn, and M finds its own"
)


@dataclass(frozen=True)
class _TiltSeries:
    """The table of a tilt series, and angstrom per pixel of it, NaN where that is not stated."""

    name: str
    star: StarFile
    changes: ColumnChanges
    pixel_size_a: float


@dataclass
class RefinedTilts:
    """Corrections of tilts on their way into the tables of tilt series.

    Attributes:
        selectable: the files of the set.
        particles: M images.
        corrections: of them.
        of_particles: changes of the table of particles, which name the images that were corrected.
        faults: what has no place, and why.
    """

    selectable: SelectableSet
    particles: ParticleSet
    corrections: Corrections
    of_particles: ColumnChanges
    faults: list[str] = field(default_factory=list)

    def changed(self) -> dict[str, ChangedTilts]:
        """Changed tables by the name of their tomogram; none where there is nothing to write."""
        if not self._images_of:
            return {}
        files, frames = self.selectable.files, self.selectable.frames
        if files.set_file is None or files.tomograms is None or frames is None:
            self.faults.append(
                "shifts and contrast of tilts: the particles were given without a set that names "
                "their tomograms file"
            )
            return {}
        changed = {}
        first = frames.starts[self.particles.source_particle[self.particles.particle_of_image]]
        frame = self.particles.source_image - first
        for tomogram in self._tomograms(files.tomograms):
            images = self._images_of[tomogram.name]
            self._write(
                tomogram, *self._of_frames(images, frame[images], len(tomogram.changes.table))
            )
            changed[tomogram.name] = ChangedTilts(tomogram.star, tomogram.changes)
        return changed

    @cached_property
    def _images_of(self) -> dict[str, NDArray[np.int64]]:
        """Images of each tomogram that has corrections of tilts."""
        of_particle, names = pd.factorize(self.particles.tomogram)
        of_image = of_particle[self.particles.particle_of_image]
        shift_px, log_scale = self.corrections.tilt_shift_px, self.corrections.tilt_log_scale
        shift_a = np.abs(shift_px) * self.particles.pixel_size_a
        is_changed = (shift_a > own.LEAST).any(axis=1) | (np.abs(log_scale) > own.LEAST)
        changed = np.unique(of_image[is_changed])
        order = np.argsort(of_image, kind="stable")
        starts = np.searchsorted(of_image[order], [changed, changed + 1])
        return {
            str(names[number]): order[first:last]
            for number, first, last in zip(changed, *starts, strict=True)
        }

    def _tomograms(self, star: StarFile) -> Iterator[_TiltSeries]:
        """The tilt series of each tomogram that has corrections of tilts."""
        table = star.read(tomograms_table(star))
        sizes_a = np.full(len(table), np.nan)
        if columns.SERIES_PIXEL_SIZE in table:
            sizes_a = numeric_column(table, columns.SERIES_PIXEL_SIZE, star.path)
        finder = FileFinder(star.path)
        files = table.get(columns.TILT_SERIES_FILE, [None] * len(table))
        for name, file, size_a in zip(table[columns.TOMOGRAM], files, sizes_a, strict=True):
            if name in self._images_of:
                owner, block = frames_of_tomogram(star, name, file, finder)
                changes = ColumnChanges(block, owner.read(block))
                yield _TiltSeries(name, owner, changes, float(size_a))

    def _of_frames(
        self, images: NDArray[np.int64], frame: NDArray[np.int64], n_frames: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(F, 2) shifts in angstrom and (F,) log scales, means over images (n,) in frames (n,)."""
        count = np.maximum(np.bincount(frame, minlength=n_frames), 1)
        shift_px = self.corrections.tilt_shift_px[images]
        sums = [np.bincount(frame, column, minlength=n_frames) for column in shift_px.T]
        mean_px = np.stack(sums, axis=-1) / count[:, None]
        off_a = np.abs(shift_px - mean_px[frame]).max() * self.particles.pixel_size_a
        if off_a > _SAME_A:
            self.faults.append(
                "shifts of tilts that differ between particles, as where half sets are refined "
                "apart; the mean of each tilt is"
            )
        log_scales = np.bincount(frame, self.corrections.tilt_log_scale[images], minlength=n_frames)
        return mean_px * self.particles.pixel_size_a, log_scales / count

    def _write(
        self, series: _TiltSeries, shift_a: NDArray[np.float64], log_scale: NDArray[np.float64]
    ) -> None:
        """Write shifts (F, 2) and log scales (F,) of one tilt series."""
        changes, path, frames = series.changes, series.star.path, np.arange(len(shift_a))
        before_a = own.numbers_or(changes.table, own.TILT_SHIFT_A, path, 0.0)
        before_a *= self._note_images(series.name)
        has_moved = bool((np.abs(shift_a) > own.LEAST).any())
        if has_moved or before_a.any():
            for axis, column in enumerate(own.TILT_SHIFT_A):
                texts = own.number_texts(before_a[:, axis] + shift_a[:, axis])
                changes.put(column, frames, texts, default="0")
        if log_scale.any():
            before = own.numbers_or(changes.table, [own.TILT_CONTRAST], path, 1.0)[:, 0]
            texts = own.factor_texts(before * np.exp(log_scale))
            changes.put(own.TILT_CONTRAST, frames, texts, default="1")
        if has_moved:
            self._move(series, shift_a)

    def _note_images(self, tomogram: str) -> bool:
        """Write which images shifts apply to; whether those that are written already do."""
        table, stack = self.of_particles.table, columns.STACK
        if stack not in table:
            return False
        rows = np.flatnonzero(table[columns.TOMOGRAM] == tomogram)
        texts = table[stack].to_numpy(dtype=object)[rows]
        before = table.get(own.REFINED_IMAGES, pd.Series([None] * len(table)))
        self.of_particles.put(own.REFINED_IMAGES, rows, texts, default="None")
        return bool((before.to_numpy(dtype=object)[rows] == texts).any())

    def _move(self, series: _TiltSeries, shift_a: NDArray[np.float64]) -> None:
        """Write shifts (F, 2) where programs look for them when they extract particles."""
        changes, path, found = series.changes, series.star.path, series.changes.block.columns
        moved = np.flatnonzero((np.abs(shift_a) > own.LEAST).any(axis=1))
        if set(_SHIFTS_A) <= set(found):
            stated_a = own.numbers_or(changes.table, _SHIFTS_A, path, 0.0)
            for axis, column in enumerate(_SHIFTS_A):
                changes.refine(column, moved, (stated_a - shift_a)[moved, axis])
        elif not set(_MATRIX_ROWS) <= set(found):
            self.faults.append(f"shifts of tilts: tilt series have no {' and '.join(_SHIFTS_A)}")
        if set(_MATRIX_ROWS) <= set(found):
            self._move_matrices(series, shift_a, moved)

    def _move_matrices(
        self, series: _TiltSeries, shift_a: NDArray[np.float64], moved: NDArray[np.int64]
    ) -> None:
        """Write shifts (F, 2) into the translations of matrices; all else of them stays."""
        changes, table = series.changes, series.changes.table
        rows = [matrix_rows(table, column, series.star.path) for column in _MATRIX_ROWS]
        states_places = any(row[:, 3].any() for row in rows)
        if is_warp_name(series.name) or not states_places or np.isnan(series.pixel_size_a):
            self.faults.append(_NO_PLACE)
            return
        for axis, (column, row) in enumerate(zip(_MATRIX_ROWS, rows, strict=True)):
            translation = row[:, 3] - shift_a[:, axis] / series.pixel_size_a
            texts = [
                f"{table[column].iloc[frame].rpartition(',')[0]},{translation[frame]:.6f}]"
                for frame in moved.tolist()
            ]
            changes.keep(column)
            changes.put(column, moved, np.array(texts, dtype=object), default="")
