"""Image series: a STAR file with one row per tilt image, and stacks of images.

Tilt images whose scale factor is 0 are dark frames, which Warp switches off this way: their rows
are rejected, and counted. Rows that cannot be understood are errors, not rejections. The pixel size
in the headers of the stacks is not trusted.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import read_star
from tomodrgn.core.particles.tables import ParticleSet
from tomodrgn.plugins.readers.image_series import refined_poses
from tomodrgn.plugins.readers.image_series.exposures import read_exposures
from tomodrgn.plugins.readers.image_series.image_numbers import check_images, image_table
from tomodrgn.plugins.readers.image_series.image_origins import state_by_origin
from tomodrgn.plugins.readers.image_series.left_over_images import left_over_images
from tomodrgn.plugins.readers.image_series.namesakes import refuse_namesakes, say_equal_exposures
from tomodrgn.plugins.readers.image_series.row_names import name_rows
from tomodrgn.plugins.readers.image_series.stack_folders import apart_by_folder
from tomodrgn.plugins.readers.upstream_files import optics_groups
from tomodrgn.plugins.readers.upstream_files import warp_columns as columns
from tomodrgn.plugins.readers.upstream_files.bounds import check_shifts
from tomodrgn.plugins.readers.upstream_files.half_sets import filament_keys, half_sets
from tomodrgn.plugins.readers.upstream_files.image_stacks import (
    ImageStacks,
    describe_file,
    locate_images,
)
from tomodrgn.plugins.readers.upstream_files.pixel_sizes import image_pixel_size_a
from tomodrgn.plugins.readers.upstream_files.repeats import find_repeats, repeat_error
from tomodrgn.plugins.readers.upstream_files.selecting import WritesSelections
from tomodrgn.plugins.readers.upstream_files.set_columns import FILAMENT
from tomodrgn.plugins.readers.upstream_files.star_write import SelectableTable, selectable_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarBlock, StarFile
    from tomodrgn.core.interfaces import Doubt, ReaderContext, WrittenPoses
    from tomodrgn.core.particles.corrections import Corrections
    from tomodrgn.core.particles.tables import ImageTable, OpticsGroup
    from tomodrgn.plugins.readers.image_series.row_names import RowNames
    from tomodrgn.plugins.readers.specs import NextpypSpec, WarpParticleseriesSpec

logger = logging.getLogger(__name__)

DARK_FRAME: Final = f"dark frame: {columns.TILT_COSINE} is 0"


class ImageSeries(WritesSelections):
    """Reads an image series; the rows it asks for are those of the STAR file.

    Attributes:
        particle_column: the column that names the particle, in its tomogram.
        inverted: whether the program inverts contrast.
        doubts: what was assumed of the rows that were read.
    """

    has_images = True
    particle_column: ClassVar[str]
    inverted: ClassVar[bool]

    def __init__(self, spec: WarpParticleseriesSpec | NextpypSpec, context: ReaderContext) -> None:
        self._spec = spec
        self._needs_images = context.needs_images
        self._stacks: ImageStacks | None = None
        self._pixel_size_a: float | None = None
        self.doubts: tuple[Doubt, ...] = ()

    def read(self) -> ParticleSet:
        """Metadata of all rows, with the headers of all stacks checked where images are needed.

        Raises:
            DataError: the file is no image series, has a row that cannot be understood, or its
                images are missing or damaged.
        """
        path = self._spec.path
        table, groups = self._read_rows()
        names = table[columns.IMAGE].to_numpy(dtype=object)
        images, is_dark, optics_of_set = self._read_numbers(table, groups, names)
        named = self._name_rows(table)
        tomogram, particle, rank = named.tomogram, named.particle, named.rank
        table = table.drop(columns=list(columns.NUMBERS), errors="ignore")  # to free their memory
        check_images(images, path, tomogram, ~is_dark)
        check_shifts(images.shift_px, optics_of_set[0].box_size_px, path, names)
        rows = _pack(rank, images, names, ~is_dark)
        say_equal_exposures(named, images, rows, path)
        self._doubt(rank)
        source_particle, first, counts = np.unique(
            rank[rows], return_index=True, return_counts=True
        )
        packed, firsts = images.convert(lambda column: column[rows]), rows[first]
        return ParticleSet(
            source=path,
            tomogram=tomogram[firsts],
            name=particle[firsts],
            source_particle=source_particle.astype(np.int64),
            images=packed,
            counts=counts.astype(np.int64),
            image_name=names[rows],
            source_image=rows,
            optics=optics_of_set,
            rows_read=len(table),
            particles_read=int(rank.max()) + 1,
            rejected={DARK_FRAME: int(is_dark.sum())} if is_dark.any() else {},
            exposure_doses=_doses_by_tomogram(tomogram[is_dark], images.dose_e_per_a2[is_dark]),
            half_set=self._half_sets(table, rows, first),
            filament=filament_keys(table, firsts, tomogram[firsts], particle[firsts]),
            corrections=refined_poses.read_corrections(
                table, packed, optics_of_set[0].pixel_size_a, path=path, rows=rows, starts=first
            ),
        )

    def load_images(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, D, D) pixels of rows of the STAR file, in that order."""
        return self._located().load(np.asarray(rows, dtype=np.int64))

    def write_poses(
        self, particles: ParticleSet, corrections: Corrections, out: Path
    ) -> WrittenPoses:
        """Write the file with other angles and origins."""
        if self._pixel_size_a is None:
            self.read()
        return refined_poses.write_poses(
            self._selectable, particles, corrections, out, pixel_size_a=self._pixel_size_a or 1.0
        )

    @property
    def stack_paths(self) -> tuple[Path, ...]:
        """The stacks of all rows."""
        return self._located().paths

    def fingerprint(self) -> Mapping[str, Any]:
        """Size, time and hash of the head of the STAR file, and of each stack that is needed."""
        paths = [self._spec.path, *(self._located().paths if self._needs_images else ())]
        return {
            "kind": self._spec.kind,
            "pixel_size_a": self._spec.pixel_size_a,
            **self._spec.model_dump(include={"join_by"}, exclude_defaults=True),
            "files": [describe_file(path) for path in paths],
        }

    @cached_property
    def _selectable(self) -> SelectableTable:
        star = read_star(self._spec.path)
        block = columns.image_series_table(star, self.particle_column)
        known = (columns.IMAGE, columns.TOMOGRAM, self.particle_column, *columns.EXPOSURE)
        named = self._name_rows(star.read(block, known, numbers=columns.EXPOSURE))
        return selectable_table(star, block, named.tomogram, named.rank)

    def _read_numbers(
        self, table: pd.DataFrame, groups: pd.DataFrame | None, names: NDArray[np.object_]
    ) -> tuple[ImageTable[NDArray[Any]], NDArray[np.bool_], tuple[OpticsGroup, ...]]:
        """The numbers of all rows, which of them are dark frames, and the optics groups."""
        path = self._spec.path
        pixel_size_a = self._spec.pixel_size_a or image_pixel_size_a(
            table, path, lambda: self._locate(names).box_size_px if self._needs_images else None
        )
        self._pixel_size_a = pixel_size_a
        origin = state_by_origin(table, inverted=self.inverted)
        optics, optics_of_set = optics_groups.image_optics(
            table, groups, path, pixel_size_a=pixel_size_a, box_size_px=self._box_size_px(names),
            state=origin.state, premultiplied_state=origin.premultiplied_state,
        )  # fmt: skip
        exposures = read_exposures(table, path)
        images = image_table(
            table, path, exposures=exposures, pixel_size_a=pixel_size_a, optics=optics
        )
        scaled = replace(images, scale=refined_poses.fitted_scale(table, path))
        return scaled, exposures.is_dark, optics_of_set

    def _read_rows(self) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        """The known columns of all rows, as text, and the optics groups."""
        path = self._spec.path
        known = [*columns.KNOWN, self.particle_column, optics_groups.GROUP, FILAMENT]
        known += refined_poses.OWN
        star, block, table = self._read_columns(known)
        groups = optics_groups.optics_table(star, block)
        if groups is not None:
            table = optics_groups.join_optics(table, groups, path)
            if self._spec.pixel_size_a is None:
                used = groups[groups[optics_groups.GROUP].isin(table[optics_groups.GROUP])]
                optics_groups.refuse_mixed_groups(used, path)
        columns.check_groups_of_columns(table.columns, path)
        return table, groups

    def _doubt(self, particle: NDArray[np.int64]) -> None:
        """Remember and say what stacks leave in doubt of the rows (rows,) of particles."""
        found = None if self._stacks is None else left_over_images(self._stacks, particle)
        self.doubts = () if found is None else (found,)
        for doubt in self.doubts:
            logger.warning("%s: %s; %s", self._spec.path, doubt.assumed, doubt.remedy)

    def _read_columns(self, names: list[str]) -> tuple[StarFile, StarBlock, pd.DataFrame]:
        """The file, its table of images, and columns of all rows."""
        path = self._spec.path
        columns.refuse_bare_images(path)
        star = read_star(path)
        block = columns.image_series_table(star, self.particle_column)
        table = star.read(block, names, numbers=(*columns.NUMBERS, *refined_poses.OWN))
        if table.empty:
            raise DataError(f"{path}: has no rows, so there are no particles; export it again")
        return star, block, table

    def _name_rows(self, table: pd.DataFrame) -> RowNames:
        """Tomogram and particle name of each row."""
        named = name_rows(table, self.particle_column, self._spec.path)
        if self._spec.join_by == "stack":
            named = apart_by_folder(named, table, self._spec.path)
        refuse_namesakes(named, table, self.particle_column, self._spec.path)
        return named

    def _half_sets(
        self, table: pd.DataFrame, rows: NDArray[np.int64], first: NDArray[np.int64]
    ) -> NDArray[np.uint8] | None:
        if columns.HALF_SET not in table or not len(rows):
            return None
        labels = table[columns.HALF_SET].to_numpy(dtype=object)
        return half_sets(labels[rows], first, self._spec.path)

    def _box_size_px(self, names: NDArray[np.object_]) -> int:
        """Box edge of the stacks of all rows, 0 where images are not needed."""
        if self._needs_images:
            stacks = self._locate(names)
            self._refuse_repeats(stacks.place)
            return stacks.box_size_px
        self._refuse_repeats(names)
        return 0

    def _refuse_repeats(self, keys: NDArray[np.object_] | NDArray[np.int64]) -> None:
        """Refuse two rows of one image, by what tells images apart."""
        repeats = find_repeats(keys)
        if len(repeats.later):
            star = read_star(self._spec.path)
            block = columns.image_series_table(star, self.particle_column)
            raise repeat_error(star, block, repeats, thing="image", same=())

    def _locate(self, names: NDArray[np.object_]) -> ImageStacks:
        """Find the stacks of all rows and remember them."""
        self._stacks = locate_images(names, self._spec.path, self._spec.datadir)
        return self._stacks

    def _located(self) -> ImageStacks:
        """The stacks of all rows, found first if they have not been."""
        if self._stacks is not None:
            return self._stacks
        _, _, table = self._read_columns([columns.IMAGE])
        return self._locate(table[columns.IMAGE].to_numpy(dtype=object))


def _doses_by_tomogram(
    tomogram: NDArray[np.object_], dose_e_per_a2: NDArray[np.float32]
) -> dict[str, NDArray[np.float64]]:
    """Distinct doses (n,) of some rows, by the tomogram (n,) of each."""
    rows = pd.DataFrame({"tomogram": tomogram, "dose": dose_e_per_a2}).drop_duplicates()
    return {
        str(name): part.to_numpy(dtype=np.float64)
        for name, part in rows.groupby("tomogram")["dose"]
    }


def _pack(
    rank: NDArray[np.int64],
    images: ImageTable[NDArray[Any]],
    names: NDArray[np.object_],
    keeps: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Kept rows by particle, then ascending dose; tilt and image name decide between equals."""
    keys = (images.tilt_deg, images.dose_e_per_a2, rank)
    order = np.lexsort(keys)
    if np.all([np.diff(key[order]) == 0 for key in keys], axis=0).any():
        name_rank, _ = pd.factorize(names, sort=True)
        order = np.lexsort((name_rank, *keys))
    return order[keeps[order]].astype(np.int64)
