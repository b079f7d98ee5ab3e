from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from tomodrgn.core.inspection import alternatives as tried
from tomodrgn.core.inspection.comparison import Comparison, Decision
from tomodrgn.plugins.commands.check.weighing import weighed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tomodrgn.core.inspection.sample import Sample
    from tomodrgn.core.inspection.state import NoiseEvidence, NoiseSays

BY_NAME = {alternative.name: alternative for alternative in tried.alternatives()}


class Noise:
    """Evidence that says what it is told."""

    def __init__(self, says: NoiseSays, *, is_against: bool = False) -> None:
        self._says, self._is_against = says, is_against

    def under(self, alternatives: Sequence[Any]) -> tuple[NoiseSays, float]:
        del alternatives
        return self._says, 9.0

    def is_against(self, alternatives: Sequence[Any]) -> bool:
        del alternatives
        return self._is_against


def decided(name: str, decision: Decision, noise: Noise, sample: Sample) -> str:
    comparison = Comparison(
        alternative=BY_NAME[name], z=8.0, difference=1.0, gain=0.1, halves=(6.0, 6.0),
        decision=decision,
    )  # fmt: skip
    return weighed(comparison, cast("NoiseEvidence", noise), sample, []).decision


@pytest.mark.parametrize(
    ("says", "maps", "together"),
    [
        ("multiplied", "contradicted", "supported"),
        ("multiplied", "undecided", "supported"),
        ("nothing", "contradicted", "undecided"),
        ("nothing", "supported", "supported"),
        ("not multiplied", "contradicted", "contradicted"),
        ("not multiplied", "undecided", "doubtful"),
    ],
)
def test_premultiplied_images_are_called_raw_only_where_noise_and_maps_say_so(
    says: NoiseSays, maps: Decision, together: str, sample: Sample
) -> None:
    assert sample.optics[0].state.ctf_premultiplied
    raw = "images are neither CTF-premultiplied nor phase-flipped"
    assert decided(raw, maps, Noise(says), sample) == together


@pytest.mark.parametrize(("says", "maps", "together"), [
    ("multiplied", "supported", "contradicted"), ("multiplied", "contradicted", "contradicted"),
    ("nothing", "supported", "supported"), ("not multiplied", "contradicted", "supported"),
])  # fmt: skip
def test_raw_images_are_called_premultiplied_where_their_noise_was_multiplied(
    says: NoiseSays, maps: Decision, together: str, sample: Sample
) -> None:
    """Maps of bright particles may prefer the wrong state, in the other contrast."""
    state = replace(sample.optics[0].state, ctf_premultiplied=False)
    raw = replace(sample, optics=(replace(sample.optics[0], state=state),))
    assert decided("images are CTF-premultiplied", maps, Noise(says), raw) == together


def test_noise_does_not_tell_raw_from_flipped_images(sample: Sample) -> None:
    group = replace(
        sample.optics[0], state=replace(sample.optics[0].state, ctf_premultiplied=False)
    )
    raw = replace(sample, optics=(group,))
    flipped = "images are phase-flipped"
    assert decided(flipped, "contradicted", Noise("nothing"), raw) == "contradicted"


@pytest.mark.parametrize(("is_against", "together"), [(True, "undecided"), (False, "contradicted")])
def test_another_pixel_size_has_to_explain_the_noise_too(
    is_against: bool, together: str, sample: Sample
) -> None:
    noise = Noise("multiplied", is_against=is_against)
    name = "pixel size is 1.1 times as large"
    assert decided(name, "contradicted", noise, sample) == together


def test_geometry_is_not_asked_of_noise(sample: Sample) -> None:
    noise = Noise("multiplied", is_against=True)
    assert decided("images are transposed", "contradicted", noise, sample) == "contradicted"
