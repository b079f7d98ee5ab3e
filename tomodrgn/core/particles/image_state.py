"""What was done to the images of a set, where the user knows better than the input."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from tomodrgn.core.particles.tables import ImageState, OpticsGroup, ParticleSet
    from tomodrgn.core.specs.dataset import ContrastSpec, ImageStateSpec


def declare_state(
    particles: ParticleSet, spec: ImageStateSpec, contrast: ContrastSpec
) -> ParticleSet:
    """The set with the image state that the user declares, in every optics group."""
    given = spec.model_dump(exclude_none=True, exclude={"found_ctf_state"})
    if contrast.invert_data is not None:
        given["inverted"] = contrast.invert_data
    if given.get("ctf_premultiplied"):
        given.setdefault("phase_flipped", False)
    if given.get("phase_flipped"):
        given.setdefault("ctf_premultiplied", False)
    if "ctf_premultiplied" in given and is_ctf_state_open(particles):
        particles = settled(particles, premultiplied=given["ctf_premultiplied"])
    elif spec.found_ctf_state is not None:
        particles = settled(
            particles,
            premultiplied=spec.found_ctf_state == "premultiplied",
            phase_flipped=spec.found_ctf_state == "phase-flipped",
        )
    return replace(particles, optics=tuple(_declared(group, given) for group in particles.optics))


def _declared(group: OpticsGroup, given: dict[str, Any]) -> OpticsGroup:
    """A group in the state that is given, also if its images prove to be CTF-premultiplied."""
    other = group.premultiplied_state
    if other is not None:
        of_ctf = ("ctf_premultiplied", "phase_flipped")
        other = replace(other, **{k: value for k, value in given.items() if k not in of_ctf})
    return replace(group, state=replace(group.state, **given), premultiplied_state=other)


def is_ctf_state_open(particles: ParticleSet) -> bool:
    """Whether it is not known of some images if they are CTF-premultiplied."""
    return any(group.state.ctf_premultiplied is None for group in particles.optics)


def settled(
    particles: ParticleSet, *, premultiplied: bool, phase_flipped: bool = False
) -> ParticleSet:
    """The set with the CTF state of those images of which the input does not say it."""

    def settle(group: OpticsGroup) -> OpticsGroup:
        if group.state.ctf_premultiplied is not None:
            return group
        state = replace(group.state, ctf_premultiplied=False, phase_flipped=phase_flipped)
        if premultiplied:
            state = group.premultiplied_state or replace(state, ctf_premultiplied=True)
        return replace(group, state=state)

    return replace(particles, optics=tuple(settle(group) for group in particles.optics))


def settled_spec(particles: ParticleSet, spec: ImageStateSpec) -> ImageStateSpec:
    """The spec with the CTF state that was settled, to be recorded.

    It is that of all images if it fits them all, else that of those that the input says nothing of.
    Where nothing was open, the spec as it is: it says what the user knows better than the input.
    """
    were_open = [group.state for group in particles.optics if group.premultiplied_state]
    if not were_open:
        return spec
    found = were_open[0]
    of_ctf = {"ctf_premultiplied": found.ctf_premultiplied, "phase_flipped": found.phase_flipped}
    if len({(g.state.ctf_premultiplied, g.state.phase_flipped) for g in particles.optics}) == 1:
        return spec.model_copy(update=of_ctf)
    other = "phase-flipped" if found.phase_flipped else "raw"
    state = "premultiplied" if found.ctf_premultiplied else other
    return spec.model_copy(update={"found_ctf_state": state})


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
    if state.ctf_premultiplied is None:
        return "CTF-premultiplied or not (not stated)"
    words = {
        "CTF-premultiplied": state.ctf_premultiplied,
        "phase-flipped": state.phase_flipped,
        "dose-weighted": state.dose_weighted,
        "tilt-weighted": state.tilt_weighted,
    }
    treatments = ", ".join(word for word, applies in words.items() if applies) or "raw"
    return f"{treatments}, contrast {'inverted' if state.inverted else 'as recorded'}"
