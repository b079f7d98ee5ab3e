from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.core.inspection.conftest import no_progress
from tomodrgn.core.fourier.disc import disc_to_images, half_plane_disc, images_to_disc
from tomodrgn.core.inspection import alternatives as tried
from tomodrgn.core.inspection import state
from tomodrgn.core.inspection.comparison import Comparison, Ground, paired_z, student_limit
from tomodrgn.core.inspection.image_changes import scrambled_tilts
from tomodrgn.core.inspection.modulation import Modulation
from tomodrgn.core.inspection.sample import Sample, part_of
from tomodrgn.core.inspection.transfer_changes import declared_state
from tomodrgn.core.physics.windows import circular_window
from tomodrgn.plugins.commands.check.search import Search
from tomodrgn.plugins.commands.check.verdicts import (
    Verdict,
    beside_order_of_tilts,
    judge,
    order_of_tilts,
    was_cropped,
)


def decisions(sample: Sample) -> dict[str, str]:
    return {v.assumption: v.decision for v in judge(sample, no_progress).verdicts}


def test_right_metadata_are_not_contradicted(sample: Sample) -> None:
    found = decisions(sample)
    assert "contradicted" not in found.values()
    for geometry in (tried.AXES, tried.EULER, tried.TILT, tried.SHIFT_SIGN, tried.STACK):
        assert found[geometry] == "supported"


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("images are transposed", tried.AXES),
        ("shifts have the opposite sign", tried.SHIFT_SIGN),
        ("each row shows the next image", tried.STACK),
    ],
)
def test_one_fault_is_named_once(name: str, called: str, sample: Sample) -> None:
    change = next(a.change for a in tried.alternatives() if a.name == name)
    faulty = change(sample)
    assert faulty is not None
    judgement = judge(faulty, no_progress)
    wrong = [v.assumption for v in judgement.verdicts if v.decision == "contradicted"]
    assert wrong == [called]
    assert judgement.corrected is not judgement.given


def test_images_of_particles_in_any_order_are_named_and_nothing_else(sample: Sample) -> None:
    judgement = judge(scrambled_tilts(sample), no_progress)
    wrong = [v.assumption for v in judgement.verdicts if v.decision == "contradicted"]
    assert wrong == [tried.MATCH]


def test_fewer_than_eight_particles_say_nothing_of_their_order(sample: Sample) -> None:
    first = np.arange(sample.n_particles) < 4
    halves = sample.half[torch.from_numpy(first)[sample.particle]].unique()
    assert len(halves) == 2
    assert order_of_tilts(Ground(part_of(sample, first))) == "undecided"
    assert order_of_tilts(Ground(sample)) == "supported"


def test_where_tilts_in_any_order_are_as_good_they_may_be_what_is_wrong() -> None:
    by_name = {a.name: a for a in (*tried.scrambles(), *tried.alternatives())}
    dose = Comparison(
        alternative=by_name["images are not dose-weighted"], z=6.0, difference=1.0, gain=0.2,
        halves=(4.0, 4.0), decision="contradicted",
    )  # fmt: skip
    verdict = Verdict(assumption=tried.DOSE_STATE, decision="contradicted", comparisons=(dose,))
    order = replace(dose, alternative=by_name[tried.SCRAMBLED_TILTS])
    worse, alike = (replace(order, decision=each) for each in ("supported", "undecided"))
    assert beside_order_of_tilts(verdict, [worse]).fault == "dose_weighted"
    found = beside_order_of_tilts(verdict, [alike])
    assert found.fault is None
    assert found.candidates == ("dose_weighted", "stack_row_mismatch")
    contrast = replace(verdict, assumption=tried.CTF_STATE)
    assert beside_order_of_tilts(contrast, [alike]) is contrast


def test_of_states_that_explain_images_alike_density_is_bright_in_the_right_one(
    sample: Sample,
) -> None:
    """Raw images are flipped ones of the other contrast where the transfer has one sign."""
    first, second = (
        replace(found, decision="contradicted", differences=torch.zeros(sample.n_particles))
        for name in ("raw", "flipped")
        if (found := Ground(sample).compare(named_state(name))) is not None
    )
    search = Search(sample)
    chosen = search.bright(first, [first, second])
    assert search.bright(second, [first, second]) is chosen
    assert search.brightness(chosen) >= max(map(search.brightness, (first, second)))
    clearly_better = replace(second, differences=torch.linspace(5, 6, sample.n_particles))
    assert search.bright(clearly_better, [first, clearly_better]) is clearly_better


def named_state(state: str) -> tried.Alternative:
    return tried.Alternative(tried.CTF_STATE, "premultiplied", state, "", declared_state(state))


def test_noise_decides_nothing(sample: Sample) -> None:
    generator = torch.Generator().manual_seed(3)
    shape = (*sample.coefficients.shape, 2)
    noise = torch.view_as_complex(torch.randn(shape, generator=generator))
    judgement = judge(replace(sample, coefficients=noise), no_progress)
    assert judgement.signal_z < 5
    geometry = {tried.AXES, tried.EULER, tried.TILT, tried.SHIFT_SIGN, tried.STACK}
    found = {v.decision for v in judgement.verdicts if v.assumption in geometry}
    assert found == {"undecided"}


def test_few_particles_need_more_evidence() -> None:
    assert student_limit(5.0, 10_000) == pytest.approx(5.0, abs=0.01)
    assert student_limit(5.0, 20) > 6
    assert paired_z(torch.ones(4)) == 0
    assert paired_z(torch.tensor([1.0, 2.0] * 50, dtype=torch.float64)) == pytest.approx(
        1.5 / (torch.tensor([1.0, 2.0] * 50, dtype=torch.float64).std() / 10)
    )


def cropped(sample: Sample, box_size_px: int) -> Sample:
    disc, window = half_plane_disc(box_size_px), circular_window(box_size_px, inner=1.2, outer=1.45)
    start = (sample.disc.box_size_px - box_size_px) // 2
    inner = slice(start, start + box_size_px)
    pixels = disc_to_images(torch.view_as_real(sample.coefficients), sample.disc)[:, inner, inner]
    return replace(
        sample,
        coefficients=torch.view_as_complex(images_to_disc(pixels * window, disc)),
        disc=disc,
        window=window,
        optics=tuple(replace(group, box_size_px=box_size_px) for group in sample.optics),
    )


def test_images_themselves_tell_whether_they_were_cropped_after_their_transfer(
    sample: Sample,
) -> None:
    smaller = cropped(sample, 12)
    assert was_cropped(smaller, None)
    assert not was_cropped(sample, None)
    raw = declared_state("raw")(smaller)
    assert raw is not None
    assert not was_cropped(raw, None)


@pytest.mark.parametrize(("depth", "z", "expected"), [
    (0.8, 3.7, True), (0.65, 0.6, True), (0.9, 9.0, False), (0.25, -9.0, False),
])  # fmt: skip
def test_images_are_asked_for_crops_where_their_noise_is_unclear(
    depth: float, z: float, expected: bool, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As around bright particles; a wrong transfer, which noise denies, looks like a crop."""
    found = Modulation(box=1, depth=depth, gain=30 * z, z=z, log_likelihood=0.0)
    monkeypatch.setattr(state, "noise_modulation", lambda *_, **__: found)
    assert was_cropped(cropped(sample, 12), state.NoiseEvidence(sample)) is expected
