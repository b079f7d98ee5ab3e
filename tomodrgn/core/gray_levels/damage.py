"""Images that cannot be used, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet

SOUND: Final = 0
NOT_FINITE: Final = 1
CONSTANT: Final = 2
BLANK_SIDE: Final = 3
ODD_SCALE: Final = 4
EXTREME: Final = 5

REASONS: Final[dict[int, str]] = {
    NOT_FINITE: "pixels that are not finite",
    CONSTANT: "all pixels equal",
    BLANK_SIDE: "a side of the box is blank",
    ODD_SCALE: "background far stronger or weaker than in its tomogram",
    EXTREME: "many extreme pixels",
}
"""By code; ``SOUND`` is none of them."""

_NAMES_SHOWN: Final = 3
_TOMOGRAMS_SHOWN: Final = 5


def damage_lines(
    damage: NDArray[np.uint8], rows: NDArray[np.int64], particles: ParticleSet
) -> Iterator[str]:
    """A line for each reason: how many images, the first of them, and by tomogram.

    Args:
        damage: (m,) code of each image.
        rows: (m,) its row in the set.
        particles: the set.
    """
    for code, reason in REASONS.items():
        mine = np.sort(rows[damage == code])
        if not len(mine):
            continue
        names = ", ".join(map(str, particles.image_name[mine[:_NAMES_SHOWN]]))
        more = ", ..." if len(mine) > _NAMES_SHOWN else ""
        tomograms, counts = np.unique(
            particles.tomogram[particles.particle_of_image[mine]].astype(str), return_counts=True
        )
        order = np.argsort(-counts, kind="stable")[:_TOMOGRAMS_SHOWN]
        shown = ", ".join(f"{tomograms[i] or 'the set'} {counts[i]}" for i in order)
        rest = f" and {len(tomograms) - len(order)} more" if len(order) < len(tomograms) else ""
        images = "1 image" if len(mine) == 1 else f"{len(mine)} images"
        yield f"{images}: {reason} ({names}{more}; by tomogram: {shown}{rest})"
