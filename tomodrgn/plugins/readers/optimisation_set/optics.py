"""The optics groups of a set: pixel size, box, microscope, and what was done to the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from tomodrgn.plugins.readers.optimisation_set.files import particles_table
from tomodrgn.plugins.readers.optimisation_set.numbers import optional_column
from tomodrgn.plugins.readers.upstream_files import set_columns as columns
from tomodrgn.plugins.readers.upstream_files.bounds import the_one_pixel_size_a
from tomodrgn.plugins.readers.upstream_files.optics_groups import (
    are_premultiplied,
    join_optics,
    optics_table,
    refuse_mixed_groups,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarFile

_VOLUME: Final = 3


@dataclass(frozen=True, kw_only=True)
class SetOptics:
    """The G optics groups that particles use.

    Attributes:
        names: (G,) their names.
        group: (B,) the group of each particle.
        pixel_size_a: of all images; None where the file does not state it.
        group_pixel_size_a: (G,) of the images of each group as stated, NaN where it is not.
        series_pixel_size_a: (G,) of the tilt series, NaN where it is not stated.
        box_size_px: of all images as stated, 0 where it is not.
        is_premultiplied: (G,) whether images were multiplied by their CTF, as far as is stated.
        is_open: (G,) whether that matters and is not stated.
        are_volumes: whether the particles are volumes, not stacks of tilt images.
        microscope: (G,) columns by field of ``CtfTable``, those that the file has.
    """

    names: tuple[str, ...]
    group: NDArray[np.int64]
    pixel_size_a: float | None
    group_pixel_size_a: NDArray[np.float64]
    series_pixel_size_a: NDArray[np.float64]
    box_size_px: int
    is_premultiplied: NDArray[np.bool_]
    is_open: NDArray[np.bool_]
    are_volumes: bool
    microscope: dict[str, NDArray[np.float64]]


def read_optics(
    star: StarFile, particles: pd.DataFrame, *, pixel_size_a: float | None = None
) -> SetOptics:
    """The optics groups of a particles file.

    Args:
        star: the file.
        particles: its table of particles.
        pixel_size_a: of all images, where the user says it.

    Raises:
        DataError: a group is missing or there twice, or groups differ in pixel size or box.
    """
    table, group = _used_groups(star, particles)
    if pixel_size_a is None:
        refuse_mixed_groups(table, star.path)

    def column(name: str, quantity: str | None = None) -> NDArray[np.float64]:
        return optional_column(table, name, star.path, quantity=quantity)

    images_a, series_a = _stated_pixel_sizes_a(table, star.path)
    box_px, premultiplied = column(columns.IMAGE_SIZE), are_premultiplied(table, star.path)
    are_volumes = _are_volumes(star, column(columns.DIMENSIONS), particles)
    names = tuple(table.get(columns.OPTICS_NAME, table[columns.OPTICS_GROUP]))
    box_size_px = max(int(np.nan_to_num(box_px[0])), 0)
    if pixel_size_a is None and np.isfinite(images_a).all():
        n_particles = np.bincount(group, minlength=len(table))
        pixel_size_a = the_one_pixel_size_a(
            images_a, star.path, names, weights=n_particles, box_size_px=lambda: box_size_px
        )
    return SetOptics(
        names=names,
        group=group,
        pixel_size_a=pixel_size_a,
        group_pixel_size_a=images_a,
        series_pixel_size_a=series_a,
        box_size_px=box_size_px,
        is_premultiplied=np.asarray(np.nan_to_num(premultiplied) != 0),
        is_open=np.isnan(premultiplied) & (columns.STACK in particles and not are_volumes),
        are_volumes=are_volumes,
        microscope={
            field: column(name, field)
            for field, name in columns.MICROSCOPE.items()
            if name in table
        },
    )


def _stated_pixel_sizes_a(
    table: pd.DataFrame, path: Path
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(G,) pixel sizes of images and of tilt series, NaN where they are not stated."""
    series_a = optional_column(table, columns.SERIES_PIXEL_SIZE, path, quantity="pixel_size_a")
    images_a = optional_column(table, columns.IMAGE_PIXEL_SIZE, path)
    binning = optional_column(table, columns.BINNING, path)
    if columns.IMAGE_PIXEL_SIZE not in table:
        images_a = series_a * binning
    elif columns.SERIES_PIXEL_SIZE not in table:
        name = columns.ORIGINAL_PIXEL_SIZE
        original_a = optional_column(table, name, path, quantity="pixel_size_a")
        series_a = np.where(np.isnan(original_a), images_a / binning, original_a)
    return images_a, series_a


def _used_groups(star: StarFile, particles: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Rows of the optics groups that particles use, and the row of each particle's group."""
    groups = optics_table(star, particles_table(star))
    if groups is None:
        unknown = pd.DataFrame({columns.OPTICS_GROUP: ["1"]}, dtype=object)
        return unknown, np.zeros(len(particles), dtype=np.int64)
    named = particles[[columns.OPTICS_GROUP]]
    join_optics(named, groups, star.path)  # every group is there
    used = groups[groups[columns.OPTICS_GROUP].isin(named[columns.OPTICS_GROUP])]
    used = used.sort_values(columns.OPTICS_GROUP).reset_index(drop=True)
    group = pd.Index(used[columns.OPTICS_GROUP]).get_indexer(named[columns.OPTICS_GROUP])
    return used, group.astype(np.int64)


def _are_volumes(star: StarFile, dimensions: NDArray[np.float64], particles: pd.DataFrame) -> bool:
    """Whether anything says that the particles are volumes."""
    are_stacks = star.value_of(columns.ARE_2D_STACKS)
    if are_stacks is None and np.isnan(dimensions).all():
        names = particles.get(columns.STACK, pd.Series(dtype=object))
        are_maps = len(names) > 0 and bool(names.str.endswith(".mrc").all())
        return columns.CTF_VOLUME in particles or are_maps
    return are_stacks not in (None, "1") or bool((dimensions == _VOLUME).any())
