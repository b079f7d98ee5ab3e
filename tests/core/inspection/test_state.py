from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.core.inspection.conftest import no_progress
from tomodrgn.core.inspection import state
from tomodrgn.core.inspection.modulation import Modulation
from tomodrgn.core.inspection.state import preferred_state

if TYPE_CHECKING:
    from tomodrgn.core.inspection.sample import Sample
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


@pytest.mark.parametrize(("is_masked", "says"), [(False, "not multiplied"), (True, "nothing")])
def test_half_a_modulation_of_masked_images_says_nothing(
    is_masked: bool, says: str, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = Modulation(box=1, depth=0.25, gain=-90.0, z=-9.0, log_likelihood=0.0)
    monkeypatch.setattr(state, "noise_modulation", lambda *_, **__: half)
    assert state.what_noise_says(replace(sample, is_masked=is_masked))[0] == says
