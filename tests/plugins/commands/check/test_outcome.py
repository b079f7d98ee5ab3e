"""What a check may say, and when it says that a set has passed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tomodrgn.core.errors import DataError
from tomodrgn.core.inspection import alternatives as tried
from tomodrgn.core.inspection.comparison import Comparison, Decision
from tomodrgn.core.inspection.contract import describe_set
from tomodrgn.core.inspection.findings import Finding, metadata_findings
from tomodrgn.plugins.commands.check.command import Checked, Maps
from tomodrgn.plugins.commands.check.outcome import Outcome
from tomodrgn.plugins.commands.check.page import conclusion, page
from tomodrgn.plugins.commands.check.verdicts import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet

BY_NAME = {alternative.name: alternative for alternative in tried.alternatives()}
FAULT = Finding("fault", "one_tilt_each", "every particle has one tilt image", "name them", True)


@pytest.fixture
def outcome(opened: tuple[Reader, ParticleSet]) -> Outcome:
    reader, particles = opened
    return Outcome(
        contract=describe_set(particles, reader, "optimisation_set"), findings=(), n_images=9,
        n_particles=1, resolution_a=20.0, signal_z=1.0,
    )  # fmt: skip


def compared(name: str, differences: list[float], decision: Decision) -> Comparison:
    values = torch.tensor(differences * 20, dtype=torch.float64)
    values += torch.linspace(-0.1, 0.1, len(values), dtype=torch.float64)
    return Comparison(
        alternative=BY_NAME[name], z=8.0, difference=float(values.mean()), gain=0.1,
        halves=(6.0, 6.0), decision=decision, differences=values,
    )  # fmt: skip


def verdict(assumption: str, decision: Decision, *rivals: Comparison) -> Verdict:
    own = compared("images are transposed", [1.0, 2.0], decision)
    return Verdict(assumption=assumption, decision=decision, comparisons=(own,), rivals=rivals)


def test_passed_is_said_only_where_images_belong_to_their_rows(outcome: Outcome) -> None:
    passed = replace(outcome, verdicts=(verdict(tried.MATCH, "supported"),))
    assert (passed.result, passed.as_json()["passed"]) == ("passed", True)
    assert conclusion(passed) == "Passed."
    open_one = replace(outcome, verdicts=(verdict(tried.MATCH, "undecided"),))
    assert (open_one.result, open_one.as_json()["passed"]) == ("undecided", False)
    assert conclusion(open_one).startswith("Nothing was found wrong, and nothing could be decided")
    untried = replace(outcome, not_tried="--no-tests was given")
    assert (untried.result, untried.as_json()["passed"]) == ("undecided", False)
    assert "Passed" not in page(untried)


def test_what_no_image_settles_does_not_pass(outcome: Outcome) -> None:
    seen = replace(outcome, verdicts=(verdict(tried.MATCH, "supported"),))
    doubt = Finding("warning", "images", "rows are taken to be right", "look", leaves_open=True)
    open_one = replace(seen, findings=(doubt,))
    assert (seen.result, open_one.result) == ("passed", "undecided")
    assert conclusion(open_one).endswith("reading the file: see the warning of images.")


def test_what_would_decide_is_said(outcome: Outcome) -> None:
    verdicts = (verdict(tried.MATCH, "supported"), verdict(tried.PIXEL_SIZE, "undecided"))
    text = page(replace(outcome, verdicts=verdicts))
    assert "what would decide: images of finer detail" in text
    assert "cannot be decided: as given, or images are transposed" in text


def test_two_faults_that_explain_images_alike_are_both_named(outcome: Outcome) -> None:
    one = compared("images are transposed", [1.0, 2.0], "contradicted")
    alike = compared("rot and psi are exchanged", [2.0, 1.0], "contradicted")
    worse = compared("shifts have the opposite sign", [0.1, 0.2], "contradicted")
    assert one.is_rivaled_by(alike)
    assert not one.is_rivaled_by(worse)
    found = replace(outcome, verdicts=(verdict(tried.AXES, "contradicted", alike),))
    assert (found.result, found.fault_ids) == ("wrong", [])
    assert found.candidates == ["transposed", "euler_exchanged"]
    assert "cannot tell which is wrong: transposed images, or exchanged Euler angles" in page(found)


def test_facts_that_come_first_stop_the_trials(outcome: Outcome) -> None:
    stopped = replace(outcome, findings=(FAULT,))
    assert stopped.blocking == "first correct: one tilt image of each particle"
    stopped = replace(stopped, not_tried=stopped.blocking)
    assert stopped.result == "wrong"
    assert "No assumption was tried on images; first correct: one tilt" in conclusion(stopped)


def test_images_that_no_row_names_are_counted(outcome: Outcome) -> None:
    contract = outcome.contract
    assert contract.stacks is not None
    assert "216 images in them\n" in page(outcome)
    more = replace(contract, stacks=replace(contract.stacks, n_images=240))
    assert "240 images in them, of which 216 are read" in " ".join(
        page(replace(outcome, contract=more)).split()
    )


def test_nouns_agree_with_their_numbers(outcome: Outcome) -> None:
    text = page(replace(outcome, verdicts=(verdict(tried.MATCH, "supported"),)))
    assert "tried on 9 images of 1 particle, to 20 Å" in text
    assert "24 in 2 tomograms; 216 images, 9 tilts each" in text


@pytest.mark.parametrize(("header_a", "is_given", "stops"), [
    (14.0 * 1.015, False, False), (14.0 * 2, False, True), (14.0 / 12, False, True),
    (14.0 * 2, True, False),
])  # fmt: skip
def test_nothing_is_tried_while_stacks_and_metadata_differ_in_what_a_pixel_is(
    header_a: float, is_given: bool, stops: bool, opened: tuple[Reader, ParticleSet]
) -> None:
    reader, particles = opened
    contract = describe_set(particles, reader, "optimisation_set")
    assert contract.stacks is not None
    other = replace(contract, stacks=replace(contract.stacks, pixel_size_a=(header_a,)))
    found = [
        finding
        for finding in metadata_findings(particles, other, is_pixel_size_given=is_given)
        if finding.about == "pixel_size"
    ]
    assert [finding.stops_trials for finding in found] == [stops]
    assert f"stacks state {header_a:g} Å/px, the metadata 14 Å/px" in found[0].text


def test_more_particles_are_asked_of_an_option_only_where_the_file_has_more(
    outcome: Outcome,
) -> None:
    verdicts = (verdict(tried.MATCH, "supported"), verdict(tried.AXES, "undecided"))
    some = replace(outcome, verdicts=verdicts)
    every = replace(some, n_particles=some.contract.n_particles)
    assert "what would decide: more particles (--most-images)" in page(some)
    assert "what would decide: more particles\n" in page(every)
    assert "--most-images" in conclusion(replace(some, verdicts=verdicts[1:]))
    assert "All particles were tried" in conclusion(replace(every, verdicts=verdicts[1:]))


def test_assumptions_that_are_all_left_open_are_one_line(outcome: Outcome) -> None:
    verdicts = (verdict(tried.MATCH, "undecided"), verdict(tried.AXES, "undecided"))
    text = page(replace(outcome, verdicts=verdicts))
    assert f"none can be decided: {tried.MATCH}, {tried.AXES}" in text
    assert "what would decide" not in text


def test_a_check_prints_writes_and_draws_itself(outcome: Outcome, tmp_path: Path) -> None:
    volume, curve = np.zeros((8, 8, 8), np.float32), np.linspace(1, 0, 5)
    maps = Maps({"as given": volume}, {"as given": curve}, 10.0)
    checked = Checked(outcome, tmp_path, maps)
    assert str(checked) == checked.page()
    text, values = checked.write(tmp_path)
    assert text.read_text() == checked._repr_markdown_()
    assert json.loads(values.read_text()) == json.loads(json.dumps(checked.as_json()))
    checked.draw(tmp_path / "maps.png")
    assert (tmp_path / "maps.png").exists()
    with pytest.raises(DataError, match="no images were tried"):
        Checked(outcome, tmp_path).draw(tmp_path / "none.png")
