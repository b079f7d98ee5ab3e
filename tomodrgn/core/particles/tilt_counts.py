"""How many tilt images particles have, in words: those with few of them by name, sets with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet

ONE_TILT_EACH: Final = "every particle has one tilt image"
NAMES_OF_PARTICLES: Final = (
    "look at the column that names the particle (rlnGroupName, of nextPYP rlnGroupNumber): all "
    "tilt images of a particle need the same name; in sets, at rlnTomoVisibleFrames"
)
_MAX_NAMED: Final = 3


def have_one_tilt_each(particles: ParticleSet) -> bool:
    """Whether no particle has a second tilt image, though particles have images."""
    return particles.n_images > 0 and int(particles.counts.max()) == 1


def require_tilts(particles: ParticleSet) -> None:
    """Refuse a set in which every particle has one tilt image: nothing can be learned of each.

    Raises:
        DataError: it is so; the columns to look at are named.
    """
    if have_one_tilt_each(particles):
        raise DataError(
            f"{particles.source}: {ONE_TILT_EACH} ({particles.n_particles} particles), so nothing "
            f"tells structure from noise; {NAMES_OF_PARTICLES}"
        )


def describe_fewest(
    particles: ParticleSet, counts: NDArray[np.int64], n_needed: int | None = None
) -> str:
    """Which particles have the fewest tilt images, such as ``2 of 16 particles have fewer than 5``.

    Args:
        particles: B particles.
        counts: (B,) their tilt images, as they matter here.
        n_needed: particles with fewer are meant; by default those with fewer than most have.
    """
    limit = int(np.median(counts)) if n_needed is None else n_needed
    is_few = counts < limit
    few = np.flatnonzero(is_few)[np.argsort(counts[is_few], kind="stable")]
    named = [
        f"{particles.name[row]} of {particles.tomogram[row] or 'the set'} ({counts[row]})"
        for row in few[:_MAX_NAMED]
    ]
    shown = ", ".join(named) + (", ..." if len(few) > _MAX_NAMED else "")
    verb = "has" if len(few) == 1 else "have"
    return f"{len(few)} of {len(counts)} particles {verb} fewer than {limit} tilt images: {shown}"
