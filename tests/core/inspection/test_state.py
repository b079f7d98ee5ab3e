from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.core.inspection.conftest import no_progress
from tomodrgn.core.inspection.state import preferred_state

if TYPE_CHECKING:
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet


@pytest.mark.parametrize("premultiplied", [False, True])
def test_the_state_is_that_of_the_images_whatever_was_declared(
    premultiplied: bool, opened: tuple[Reader, ParticleSet]
) -> None:
    reader, particles = opened
    group = particles.optics[0]
    assert group.state.ctf_premultiplied
    declared = replace(group, state=replace(group.state, ctf_premultiplied=premultiplied))
    found = preferred_state(replace(particles, optics=(declared,)), reader, no_progress)
    assert found.state == "premultiplied"
    assert found.candidates == ("premultiplied",)
