"""What the page says of classes, by what was found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.refinement.verdict import Verdict
from tomodrgn.plugins.commands.validate import page
from tomodrgn.plugins.commands.validate.chance import Separation
from tomodrgn.plugins.commands.validate.page import ClassFinding, Validation, validation_page


def validation(p_value: float, p_of_pair: float) -> Validation:
    """Three classes, of which the first two have ``p_of_pair``, and no others doubts."""
    pairs = np.full((3, 3), 1e-4)
    pairs[0, 1] = pairs[1, 0] = p_of_pair
    names = ("apo", "bound", "rotated")
    return Validation(
        classes=tuple(
            ClassFinding(name=name, n_particles=100, n_images=900, n_tomograms=3) for name in names
        ),
        compared=(0, 1, 2),
        separation=Separation(
            p_value=p_value, z=9.0, z_within=None, class_p_value=np.full(3, 1e-4),
            class_z=np.full(3, 5.0), pair_p_value=pairs, pair_z=np.full((3, 3), 5.0),
        ),
        n_compared=300,
        is_held_out=True,
        pixel_size_a=2.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("p_value", "p_of_pair", "is_named"),
    [(1e-4, 0.5, True), (1e-4, 1e-4, False), (0.5, 0.5, False)],
)
def test_pairs_are_named_where_classes_differ_and_these_do_not(
    p_value: float, p_of_pair: float, is_named: bool
) -> None:
    text = validation_page(validation(p_value, p_of_pair))
    assert ("Not told apart: classes apo and bound." in text) == is_named
    assert ("Not told apart" in text) == is_named


def test_no_class_is_real_where_labels_together_are_not() -> None:
    assert validation(1e-4, 1e-4).class_verdicts == ["differs"] * 3
    assert validation(0.5, 1e-4).class_verdicts == ["no better than chance"] * 3


def test_without_a_comparison_nothing_is_said_of_any_class() -> None:
    found = replace(validation(1e-4, 1e-4), separation=None, is_held_out=False, is_from_images=True)
    assert (found.verdict, found.is_doubtful) == ("too few particles", False)
    assert found.class_verdicts == ["too few particles"] * 3
    assert found.alike == []


def made_of_the_images(z: float, *, n_compared: int = 100, run_found: bool | None) -> Validation:
    """Labels that were made of the images that they are compared with."""
    found = validation(1e-4, 1e-4)
    assert found.separation is not None
    return replace(
        found,
        separation=replace(found.separation, z=z),
        n_compared=n_compared,
        is_held_out=False,
        is_from_images=True,
        run_found=run_found,
    )


@pytest.mark.parametrize("run_found", [None, True])
def test_labels_made_of_the_images_are_doubtful_below_what_noise_reaches(
    run_found: bool | None,
) -> None:
    least = made_of_the_images(9.0, run_found=run_found).least_z
    below, above = (made_of_the_images(least + by, run_found=run_found) for by in (-0.01, 0.01))
    assert [each.verdict for each in (below, above)] == ["doubtful", "differ"]
    assert below.class_verdicts == ["doubtful"] * 3
    for known in (replace(below, is_held_out=True), replace(below, is_from_images=False)):
        assert known.verdict == "differ"


def test_labels_of_a_run_that_found_nothing_are_doubtful_however_far_apart() -> None:
    assert made_of_the_images(1e6, run_found=False).verdict == "doubtful"


@pytest.mark.parametrize("share", [0.25, 4.0])
def test_noise_reaches_further_with_more_particles_unless_the_run_found_something(
    share: float,
) -> None:
    """Both limits are the same for (a / b)^2 particles; half and twice that for a quarter and 4."""
    equal = (page.FITTED_NOISE / page.FITTED_NOISE_PER_ROOT) ** 2
    n_compared = round(share * equal)
    by_number = page.FITTED_NOISE_PER_ROOT * n_compared**0.5
    alone = made_of_the_images(9.0, n_compared=n_compared, run_found=None).least_z
    beside = made_of_the_images(9.0, n_compared=n_compared, run_found=True).least_z
    assert alone == pytest.approx(max(page.FITTED_NOISE, by_number))
    assert beside == pytest.approx(min(page.FITTED_NOISE, by_number))


def test_findings_print_show_and_write_themselves(tmp_path: Path) -> None:
    found = validation(0.01, 0.01)
    assert str(found) == found._repr_markdown_() == found.page()
    page, values = found.write(tmp_path / "new")
    assert page.read_text() == found.page()
    assert json.loads(values.read_text())["verdict"] == found.verdict
    found.draw(tmp_path / "chance.png")
    assert (tmp_path / "chance.png").is_file()
    with pytest.raises(DataError, match="fewer than two classes"):
        replace(found, separation=None).draw(tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def judged(share: float) -> Verdict:
    """Class maps that are worth something, of which errors explain a share."""
    shares = dict.fromkeys(["contrast", "shift", "rotation", "errors"], share)
    return Verdict(gain=(1.0,), z=(9.0,), log_odds=0.0, share=shares)


def test_maps_that_explain_particles_without_labels_are_doubted_no_longer() -> None:
    few = made_of_the_images(1.0, run_found=None)
    assert (few.verdict, replace(few, judged=judged(0.1)).verdict) == ("doubtful", "differ")
    assert replace(few, judged=judged(0.1), run_found=False).verdict == "doubtful"


@pytest.mark.parametrize(("share", "verdict"), [(0.79, "differ"), (0.81, page.OF_ERRORS)])
def test_what_errors_look_like_is_called_so(share: float, verdict: str) -> None:
    found = validation(1e-4, 1e-4)
    found = replace(found, blind=found.separation, judged=judged(share))
    assert found.verdict == verdict
    assert ("FLAGGED: errors of pose" in found.page()) == (verdict == page.OF_ERRORS)
    assert f"| shift | {share:.0%} |" in found.page()


def test_labels_that_only_errors_tell_apart_are_errors() -> None:
    found = validation(0.5, 1e-4)
    blind = validation(1e-4, 1e-4).separation
    assert replace(found, blind=blind, judged=judged(0.1)).verdict == page.OF_ERRORS
    assert replace(found, blind=found.separation).verdict == "no better than chance"


@pytest.mark.parametrize(
    ("run_found", "p_value", "is_other"),
    [(True, 0.5, True), (True, 1e-4, False), (False, 1e-4, True), (False, 0.5, False)],
)
def test_what_the_run_said_is_repeated_and_contradicted_aloud(
    run_found: bool, p_value: float, is_other: bool
) -> None:
    found = replace(
        validation(p_value, 1e-4), judged=judged(0.1), run_found=run_found, run_said="so it is"
    )
    text = found.page()
    assert "The run itself said: so it is." in text
    assert ("do not confirm" in text or "found again" in text) == is_other
