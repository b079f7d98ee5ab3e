"""The table of optics groups of a STAR file: what the images of a group share.

RELION 3.1 introduced it, and nextPYP writes it. Columns that the rows of images have themselves
come first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import numeric_column, quote_value
from tomodrgn.core.files.star_tables import the_one_table
from tomodrgn.core.particles.tables import OpticsGroup
from tomodrgn.plugins.readers.upstream_files.bounds import MOST_OFF

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.files.star import StarBlock, StarFile
    from tomodrgn.core.particles.tables import ImageState

GROUP: Final = "rlnOpticsGroup"
GROUP_NAME: Final = "rlnOpticsGroupName"
PREMULTIPLIED: Final = "rlnCtfDataAreCtfPremultiplied"
SHARED: Final = {"rlnImagePixelSize": 2 * MOST_OFF, "rlnImageSize": 0.0}
"""Columns in which all groups must agree, with the part by which they may differ here.

Whether a small difference of pixel sizes matters depends on the box, and is judged with it.
"""

_OPTICS: Final = "optics"
_SILENT: Final = ("<na>", "nan", "none", "null", "")
_IMAGE: Final = "rlnImageName"


def optics_block(star: StarFile, images: StarBlock) -> StarBlock | None:
    """The table of optics groups; None where the images name no group.

    Raises:
        DataError: two tables of groups differ.
    """
    tables = [
        block
        for block in star.tables
        if block != images and GROUP in block.columns and _IMAGE not in block.columns
    ]
    if not tables or GROUP not in images.columns:
        return None
    named = [block for block in tables if block.name == _OPTICS]
    return the_one_table(star, named or tables, "optics groups")


def optics_table(star: StarFile, images: StarBlock) -> pd.DataFrame | None:
    """The optics groups as text, one row each; None where the images name no group.

    Args:
        star: the file.
        images: the table of images.

    Raises:
        DataError: a group is there twice, or two tables of groups differ.
    """
    block = optics_block(star, images)
    if block is None:
        return None
    groups = star.read(block)
    twins = groups[groups[GROUP].duplicated()]
    if len(twins):
        way_out = (
            "with the same values; remove one"
            if groups.duplicated().sum() == len(twins)
            else "with different values; number the groups apart, also in the rows of images"
        )
        raise DataError(
            f"{star.path}: data_{block.name} has the optics group {twins[GROUP].iloc[0]} twice, "
            f"{way_out}"
        )
    return groups


def join_optics(images: pd.DataFrame, groups: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Rows of images with the columns of their optics group that they lack.

    Args:
        images: rows as text, with the column of the group.
        groups: the table of groups.
        path: the file, for the error.

    Raises:
        DataError: a row names a group that is not in the table.
    """
    place = pd.Index(groups[GROUP]).get_indexer(images[GROUP])
    lost = np.flatnonzero(place < 0)
    if len(lost):
        raise DataError(
            f"{path}: row {lost[0] + 1} is of the optics group "
            f"{quote_value(images[GROUP].iloc[lost[0]])}, which is not among the groups "
            f"{', '.join(groups[GROUP])} ({len(lost)} such rows)"
        )
    joined = {
        name: groups[name].to_numpy(dtype=object)[place]
        for name in groups.columns
        if name not in images
    }
    return images.assign(**joined)


def refuse_mixed_groups(groups: pd.DataFrame, path: Path) -> None:
    """Refuse groups of clearly different pixel sizes or different boxes.

    Raises:
        DataError: it lists the sizes.
    """
    for name, apart in SHARED.items():
        if name not in groups:
            continue
        sizes = numeric_column(groups, name, path)
        if np.ptp(sizes) > apart * np.abs(sizes).max():
            listed = ", ".join(
                f"{group}: {size:g}" for group, size in zip(groups[GROUP], sizes, strict=True)
            )
            way_out = "; --Apix gives one pixel size to all" if apart else ""
            raise DataError(
                f"{path}: optics groups differ in {name} ({listed}); one volume needs images of "
                "one pixel size and one box: extract the particles again with the same, or split "
                f"the file by optics group{way_out}"
            )


def are_premultiplied(groups: pd.DataFrame, path: Path) -> NDArray[np.float64]:
    """(groups,) whether images were multiplied by their CTF: 1, 0, or NaN where it is not said.

    Programs that join tables write ``<NA>`` for a group that lacks the column.
    """
    if PREMULTIPLIED not in groups:
        return np.full(len(groups), np.nan)
    is_silent = groups[PREMULTIPLIED].str.strip().str.lower().isin(_SILENT)
    stated = groups.assign(**{PREMULTIPLIED: groups[PREMULTIPLIED].mask(is_silent, "0")})
    numbers = numeric_column(stated, PREMULTIPLIED, path) != 0
    return np.where(is_silent, np.nan, numbers)


def image_optics(
    images: pd.DataFrame,
    groups: pd.DataFrame | None,
    path: Path,
    *,
    pixel_size_a: float,
    box_size_px: int,
    state: ImageState,
    premultiplied_state: ImageState | None = None,
) -> tuple[NDArray[np.int64], tuple[OpticsGroup, ...]]:
    """The group (n,) of each row, and the groups by name; one for all where the file names none.

    Args:
        images: rows as text.
        groups: the table of groups, or None.
        path: the file, for errors.
        pixel_size_a: pixel size of all images.
        box_size_px: box edge of all images.
        state: of images as the program extracts them, unless the groups say whether they are
            CTF-premultiplied.
        premultiplied_state: state of images that the program premultiplies, where it may.
    """
    if groups is None:
        group = OpticsGroup(
            name="opticsGroup1", pixel_size_a=pixel_size_a, box_size_px=box_size_px, state=state,
            premultiplied_state=premultiplied_state,
        )  # fmt: skip
        return np.zeros(len(images), dtype=np.int64), (group,)
    used = groups[groups[GROUP].isin(images[GROUP])].sort_values(GROUP).reset_index(drop=True)
    names = used[GROUP_NAME] if GROUP_NAME in used else "opticsGroup" + used[GROUP]
    stated = {
        0.0: (replace(state, ctf_premultiplied=False), None),
        1.0: (premultiplied_state or replace(state, ctf_premultiplied=True), None),
    }
    states = [
        stated.get(flag, (state, premultiplied_state)) for flag in are_premultiplied(used, path)
    ]
    place = pd.Index(used[GROUP]).get_indexer(images[GROUP]).astype(np.int64)
    return place, tuple(
        OpticsGroup(
            name=str(name),
            pixel_size_a=pixel_size_a,
            box_size_px=box_size_px,
            state=own,
            premultiplied_state=if_premultiplied,
        )
        for name, (own, if_premultiplied) in zip(names, states, strict=True)
    )
