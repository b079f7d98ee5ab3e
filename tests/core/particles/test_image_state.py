"""Images of which the input does not say whether they are CTF-premultiplied."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tomodrgn.core.particles.image_state import (
    declare_state,
    describe_state,
    is_ctf_state_open,
    settled,
    settled_spec,
)
from tomodrgn.core.particles.tables import ImageState
from tomodrgn.core.specs.dataset import ContrastSpec, ImageStateSpec

if TYPE_CHECKING:
    from tomodrgn.core.particles.tables import ParticleSet

OPEN = ImageState(ctf_premultiplied=None, inverted=True)
MULTIPLIED = ImageState(ctf_premultiplied=True, dose_weighted=True, tilt_weighted=True)
RAW = ImageState(inverted=True)


@pytest.fixture
def unknown(particles: ParticleSet) -> ParticleSet:
    """The set without a word on its CTF state."""
    group = replace(particles.optics[0], state=OPEN, premultiplied_state=MULTIPLIED)
    return replace(particles, optics=(group,))


def test_a_state_that_is_not_stated_stays_open_until_it_is_settled(unknown: ParticleSet) -> None:
    assert is_ctf_state_open(unknown)
    assert "not stated" in describe_state(unknown.optics[0].state)
    assert settled(unknown, premultiplied=True).optics[0].state == MULTIPLIED
    assert settled(unknown, premultiplied=False).optics[0].state == RAW
    flipped = settled(unknown, premultiplied=False, phase_flipped=True)
    assert flipped.optics[0].state == replace(RAW, phase_flipped=True)


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({"ctf_premultiplied": True}, MULTIPLIED),
        ({"ctf_premultiplied": False}, RAW),
        ({"phase_flipped": True}, replace(RAW, phase_flipped=True)),
        ({"ctf_premultiplied": True, "dose_weighted": False},
         replace(MULTIPLIED, dose_weighted=False)),
    ],
)  # fmt: skip
def test_the_user_settles_it(
    given: dict[str, bool], state: ImageState, unknown: ParticleSet
) -> None:
    declared = declare_state(unknown, ImageStateSpec(**given), ContrastSpec())
    assert declared.optics[0].state == state


def test_what_else_the_user_declares_holds_in_either_state(unknown: ParticleSet) -> None:
    spec = ImageStateSpec(dose_weighted=False)
    declared = declare_state(unknown, spec, ContrastSpec(invert_data=True))
    assert is_ctf_state_open(declared)
    state = settled(declared, premultiplied=True).optics[0].state
    assert state == replace(MULTIPLIED, dose_weighted=False, inverted=True)


def test_the_state_that_was_found_is_recorded(unknown: ParticleSet) -> None:
    found = settled_spec(settled(unknown, premultiplied=True), ImageStateSpec(tilt_weighted=False))
    assert (found.ctf_premultiplied, found.phase_flipped, found.tilt_weighted) == (
        True, False, False,
    )  # fmt: skip
    again = declare_state(unknown, found, ContrastSpec())
    assert again.optics[0].state == replace(MULTIPLIED, tilt_weighted=False)


@pytest.mark.parametrize("found", ["raw", "phase-flipped", "premultiplied"])
def test_a_state_that_was_found_is_recorded_where_other_groups_state_another(
    found: str, unknown: ParticleSet
) -> None:
    stated = replace(
        unknown.optics[0], state=RAW if found == "premultiplied" else MULTIPLIED,
        premultiplied_state=None,
    )  # fmt: skip
    mixed = replace(unknown, optics=(stated, *unknown.optics))
    now = settled(
        mixed, premultiplied=found == "premultiplied", phase_flipped=found == "phase-flipped"
    )
    recorded = settled_spec(now, ImageStateSpec(tilt_weighted=False))
    assert (recorded.found_ctf_state, recorded.ctf_premultiplied) == (found, None)
    again = declare_state(mixed, recorded, ContrastSpec())
    states = [replace(group.state, tilt_weighted=False) for group in now.optics]
    assert [group.state for group in again.optics] == states
    assert settled_spec(again, recorded) == recorded


def test_nothing_is_recorded_of_a_state_that_the_input_states(particles: ParticleSet) -> None:
    assert settled_spec(particles, ImageStateSpec()) == ImageStateSpec()
