"""What counts as a contradiction, and what another explanation makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from tomodrgn.core.inspection import alternatives as tried
from tomodrgn.core.inspection.comparison import Ground, decide
from tomodrgn.core.inspection.pose_changes import scaled_shifts
from tomodrgn.core.inspection.transfer_changes import (
    reversed_doses,
    scaled_pixels,
    without_transfer,
)

if TYPE_CHECKING:
    from tomodrgn.core.inspection.alternatives import Alternative
    from tomodrgn.core.inspection.sample import Change, Sample


def named(name: str) -> Alternative:
    return next(each for each in tried.alternatives() if each.name == name)


def decided(given: Sample | None, alternative: Alternative) -> str:
    assert given is not None
    found = Ground(given).compare(alternative)
    assert found is not None
    return found.decision


@pytest.mark.parametrize(("cut", "decision"), [
    ({}, "contradicted"), ({"is_masked": True}, "undecided"), ({"filtered_in": 2}, "undecided"),
])  # fmt: skip
def test_small_misfits_of_the_dose_say_nothing_of_images_that_were_cut(
    cut: dict[str, int], decision: str, sample: Sample
) -> None:
    faulty = reversed_doses(sample)
    assert faulty is not None
    assert decided(replace(faulty, **cut), named("doses are in reverse order")) == decision


def test_large_misfits_are_faults_of_images_that_were_cut(sample: Sample) -> None:
    faulty = scaled_pixels(0.8)(sample)
    assert faulty is not None
    larger = named("pixel size is 1.25 times as large")
    assert decided(replace(faulty, is_masked=True), larger) == "contradicted"


@pytest.mark.parametrize(("control", "decision"), [
    (scaled_shifts(-1, -1), "undecided"), (scaled_shifts(1, 1), "contradicted"),
])  # fmt: skip
def test_an_alternative_is_not_believed_where_a_control_explains_more(
    control: Change, decision: str, sample: Sample
) -> None:
    faulty = scaled_shifts(-1, -1)(sample)
    halfway = replace(
        named("shifts have the opposite sign"),
        change=scaled_shifts(-0.6, -0.6),
        controls=(control,),
    )
    assert decided(faulty, halfway) == decision


def test_a_pixel_size_is_not_believed_where_no_transfer_explains_more(sample: Sample) -> None:
    """As of images of one defocus, whose maps take up what all of them have in common."""
    ctf = sample.images.ctf
    assert ctf is not None
    one = replace(
        ctf,
        defocus_u_a=torch.full_like(ctf.defocus_u_a, 9e4),
        defocus_v_a=torch.full_like(ctf.defocus_v_a, 9e4),
    )
    larger = named("pixel size is 1.25 times as large")
    untransferred = sample.with_images(ctf=one)  # of which the truth is another transfer
    assert without_transfer in larger.controls
    assert decided(untransferred, replace(larger, controls=())) == "contradicted"
    assert decided(untransferred, larger) == "undecided"


def test_a_peak_between_controls_needs_less_evidence() -> None:
    opposite = named("particle height adds to defocus with the opposite sign")
    alone = replace(opposite, is_bracketed=False)
    for alternative, decision in ((opposite, "contradicted"), (alone, "doubtful")):
        assert decide(alternative, 4.0, (2.5, 3.0), gain=0.01, n=200) == decision
        assert decide(alternative, 4.0, (0.5, 5.0), gain=0.01, n=200) == "doubtful"


def test_a_control_that_is_better_by_chance_says_nothing(sample: Sample) -> None:
    """As where it is better for one particle, and equal for all others."""

    def better_for_one(given: Sample) -> Sample:
        factor = torch.where(given.particle == 0, -1.0, -0.6)[:, None]
        return given.with_images(shift_px=given.images.shift_px * factor)

    halfway = replace(
        named("shifts have the opposite sign"),
        change=scaled_shifts(-0.6, -0.6),
        controls=(better_for_one,),
    )
    assert decided(scaled_shifts(-1, -1)(sample), halfway) == "contradicted"


def test_opposite_heights_have_controls_on_either_side() -> None:
    assert len(named("particle height adds to defocus with the opposite sign").controls) == 3
