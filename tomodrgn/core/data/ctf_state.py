"""Whether images are CTF-premultiplied, where their file does not say so: by their noise."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import numpy as np

from tomodrgn.core.display import show_progress
from tomodrgn.core.errors import DataError
from tomodrgn.core.inspection.state import preferred_state
from tomodrgn.core.particles.image_state import is_ctf_state_open, settled, settled_spec
from tomodrgn.core.particles.selection import take_images

if TYPE_CHECKING:
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.run import RunSpecBase

logger = logging.getLogger(__name__)

NOT_STATED: Final = (
    "the file does not say whether images are CTF-premultiplied (rlnCtfDataAreCtfPremultiplied)"
)
SAY_SO: Final = (
    "find out from the program that extracted them, and give --ctf-premultiplied or "
    "--not-ctf-premultiplied, or write the column where optics groups differ"
)


def settle_ctf_state(particles: ParticleSet, reader: Reader) -> ParticleSet | None:
    """The set with a CTF state for all images; None where neither input nor images tell it.

    Args:
        particles: the set, with what the user declares.
        reader: reads its images.
    """
    if not is_ctf_state_open(particles):
        return particles
    as_raw = settled(particles, premultiplied=False)
    if particles.images.ctf is None:
        return as_raw
    is_open = np.array([group.state.ctf_premultiplied is None for group in particles.optics])
    is_asked = is_open[particles.images.optics]
    if not is_asked.any():
        return as_raw
    asked = take_images(as_raw, is_asked, "of which the CTF state is stated")
    with show_progress("looking whether images are CTF-premultiplied") as progress:
        found = preferred_state(asked, reader, progress)
    if found.state is None and "premultiplied" in found.candidates:
        return None
    state = found.state or "raw"
    logger.info(
        "%s: %s; by their noise they are %s (%.2g of the modulation that premultiplied images "
        "have, z = %.2g)",
        particles.source, NOT_STATED, state if state != "flipped" else "phase-flipped",
        found.depth or 0.0, found.z,
    )  # fmt: skip
    return settled(
        particles, premultiplied=state == "premultiplied", phase_flipped=state == "flipped"
    )


def with_ctf_state(run: RunSpecBase, particles: ParticleSet) -> RunSpecBase:
    """The spec of a run with the CTF state that was settled for its particles, to be recorded."""
    state = settled_spec(particles, run.image_state)
    return run.model_copy(update={"image_state": state})


def require_ctf_state(particles: ParticleSet, reader: Reader) -> ParticleSet:
    """As :func:`settle_ctf_state`, for those who cannot go on without.

    Raises:
        DataError: neither input nor images tell it; the options are named.
    """
    found = settle_ctf_state(particles, reader)
    if found is None:
        raise DataError(
            f"{particles.source}: {NOT_STATED.removeprefix('the file ')}, and their noise does not "
            f"tell; {SAY_SO}"
        )
    return found
