"""Stacks that hold more images than their particle has rows, and what that may mean.

Programs that expand a set to one row per tilt image number images by their rank among visible
frames (``cryodrgn_utils parse_warptools``, RECOVAR's ``parse_relion5_tomo``). That is right for
stacks of visible frames. WarpTools exports of before July 2026 hold every frame: from the first
invisible one on, such a row names the image of another tilt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.interfaces import Doubt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.plugins.readers.upstream_files.image_stacks import ImageStacks


def left_over_images(stacks: ImageStacks, particle: NDArray[np.int64]) -> Doubt | None:
    """That rows of stacks of one particle each are numbered as if frames were left out, or None.

    Args:
        stacks: the stacks of all rows.
        particle: (rows,) number of the particle of each row, from 0.
    """
    n = len(stacks.paths)
    rows = np.bincount(stacks.stack, minlength=n)
    last, first_particle, last_particle = np.zeros((3, n), dtype=np.int64)
    first_particle[:] = len(particle)
    np.maximum.at(last, stacks.stack, stacks.position + 1)
    np.minimum.at(first_particle, stacks.stack, particle)
    np.maximum.at(last_particle, stacks.stack, particle)
    held = np.array([header.shape[0] for header in stacks.headers])
    # twice as many and more are the stack of several particles, of which one was selected
    is_odd = (first_particle == last_particle) & (last == rows) & (held > rows) & (held < 2 * rows)
    if not is_odd.any():
        return None
    example = int(np.argmax(is_odd))
    return Doubt(
        f"{is_odd.sum()} of {n} stacks hold more images than their particle has rows "
        f"({stacks.paths[example].name}: {held[example]} images, {rows[example]} rows), and the "
        "rows number images from 1 without a gap; they are taken to name the images that they "
        "number, which is wrong where a program that made this file from a set counted visible "
        "frames alone: rows then name images of other tilts",
        "give the optimisation set itself; where the file was cut short, and its rows are right, "
        "nothing is to be done",
    )
