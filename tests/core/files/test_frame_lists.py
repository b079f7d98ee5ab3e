"""Lists of frames as scripts write them."""

from __future__ import annotations

import numpy as np
import pytest

from tomodrgn.core.files.frame_lists import frame_flags, is_frame_list, with_flags

FORMS = ["[1,0,1]", "[1, 0, 1]", "[ 1 0  1 ]", "[1.0,0.0,1.0]", "[1.,0,1.000]"]


@pytest.mark.parametrize("text", FORMS)
def test_every_form_has_the_same_flags(text: str) -> None:
    assert is_frame_list(text)
    flags, lengths = frame_flags([text, "[0]"])
    assert flags.tolist() == [True, False, True, False]
    assert lengths.tolist() == [3, 1]


@pytest.mark.parametrize("text", FORMS)
def test_other_flags_come_in_the_same_form(text: str) -> None:
    changed = with_flags(text, np.array([True, False, False]))
    assert is_frame_list(changed)
    assert frame_flags([changed])[0].tolist() == [True, False, False]
    assert with_flags(changed, np.array([True, False, True])) == text


@pytest.mark.parametrize(
    "text", ["", "[]", "[2]", "[1,,0]", "[0.5]", "1,0", "[11]", "[1,0", "[1.0.0]"]
)
def test_anything_else_is_no_list(text: str) -> None:
    assert not is_frame_list(text)
