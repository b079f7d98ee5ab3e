"""What was done to the images of a set, where the user knows better than the input."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from tomodrgn.core.particles.tables import ImageState, ParticleSet
    from tomodrgn.core.specs.dataset import ContrastSpec, ImageStateSpec


def declare_state(
    particles: ParticleSet, spec: ImageStateSpec, contrast: ContrastSpec
) -> ParticleSet:
    """The set with the image state that the user declares, in every optics group."""
    given = {name: value for name, value in spec.model_dump().items() if value is not None}
    if contrast.invert_data is not None:
        given["inverted"] = contrast.invert_data
    if given.get("ctf_premultiplied"):
        given.setdefault("phase_flipped", False)
    if given.get("phase_flipped"):
        given.setdefault("ctf_premultiplied", False)
    groups = (replace(group, state=replace(group.state, **given)) for group in particles.optics)
    return replace(particles, optics=tuple(groups))


def contrast_sign(particles: ParticleSet) -> int:
    """Sign of the contrast of all images, -1 where it was inverted.

    Raises:
        DataError: groups differ.
    """
    signs = {-1 if group.state.inverted else 1 for group in particles.optics}
    if len(signs) > 1:
        raise DataError(
            f"{particles.source}: contrast was inverted in some optics groups and not in others, "
            "so no one shift (--norm) fits all; leave --norm out"
        )
    return signs.pop()


def describe_state(state: ImageState) -> str:
    """The state in a few words, for logs and reports."""
    words = {
        "CTF-premultiplied": state.ctf_premultiplied,
        "phase-flipped": state.phase_flipped,
        "dose-weighted": state.dose_weighted,
        "tilt-weighted": state.tilt_weighted,
    }
    treatments = ", ".join(word for word, applies in words.items() if applies) or "raw"
    return f"{treatments}, contrast {'inverted' if state.inverted else 'as recorded'}"
