"""Stacks that hold more images than their particle has rows, and what that may mean.

Programs that expand a set to one row per tilt image number images by their rank among visible
frames (``cryodrgn_utils parse_warptools``, RECOVAR's ``parse_relion5_tomo``). That is right for
stacks of visible frames. WarpTools exports of before July 2026 hold every frame: from the first
invisible one on, such a row names the image of another tilt.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.plugins.readers.upstream_files.image_stacks import ImageStacks

logger = logging.getLogger(__name__)


def say_left_over_images(stacks: ImageStacks, particle: NDArray[np.int64], star: Path) -> None:
    """Warn of stacks of one particle each whose rows are numbered as if frames were left out.

    Args:
        stacks: the stacks of all rows.
        particle: (rows,) number of the particle of each row, from 0.
        star: the file that the rows stand in.
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
        return
    example = int(np.argmax(is_odd))
    logger.warning(
        "%s: %d of %d stacks hold more images than their particle has rows (%s: %d images, %d "
        "rows), and the rows number images from 1 without a gap. If another program made this file "
        "from a set, it may have counted visible frames alone, and rows name images of other "
        "tilts: give the optimisation set itself",
        star, is_odd.sum(), n, stacks.paths[example].name, held[example], rows[example],
    )  # fmt: skip
