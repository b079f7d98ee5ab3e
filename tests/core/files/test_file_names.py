"""Two names never share a file."""

from __future__ import annotations

import itertools

import pytest

from tomodrgn.core.files.file_names import file_stems

HARD = [
    *("s1/TS", "s1_TS", "s1 TS", "S1_ts", "s1_TS_2", "s1\\TS", "", "unnamed", "../../x", ".._.._x"),
    *("TS\u00e9", "TSe\u0301", "a" * 300, "a" * 301, "\u00e9" * 200, "\u00df", "ss"),
    *("day 1/TS 01", "a:b", "a*b"),
]


@pytest.mark.parametrize("names", [HARD, HARD[::-1], sorted(HARD)])
def test_other_names_have_other_files_wherever_case_is_ignored(names: list[str]) -> None:
    stems = file_stems(names)
    assert len({stem.casefold() for stem in stems}) == len(names)
    assert not any(set(stem) & set('\\/:*?"<>| \n') or stem.startswith(".") for stem in stems)
    assert all(0 < len(stem.encode()) < 240 for stem in stems)


def test_a_name_has_the_same_file_in_any_order() -> None:
    expected = dict(zip(HARD, file_stems(HARD), strict=True))
    for names in itertools.islice(itertools.permutations(HARD), 0, 5000, 499):
        assert dict(zip(names, file_stems(names), strict=True)) == expected


def test_names_that_fit_stay() -> None:
    names = ["TS_1.tomostar", "240305_A_tomo_1", "s1_TS", "s1/TS"]
    assert file_stems(names) == ["TS_1.tomostar", "240305_A_tomo_1", "s1_TS", "s1_TS_2"]


def test_equal_names_share_a_file() -> None:
    assert file_stems(["a/b", "c", "a/b"]) == ["a_b", "c", "a_b"]


def test_what_is_shown_of_names_may_agree() -> None:
    assert file_stems(["x (1)", "x (2)"], lambda name: name.split()[0]) == ["x", "x_2"]
