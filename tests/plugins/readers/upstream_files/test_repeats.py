"""Rows that say they are one thing: copies, symmetry mates, and two things of one name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tomodrgn.core.files.star import read_star, write_table
from tomodrgn.plugins.readers.upstream_files.repeats import (
    Repeats,
    find_repeats,
    repeat_error,
    repeat_kinds,
)

if TYPE_CHECKING:
    from pathlib import Path

ROW = {"rlnImageName": "1@a.mrcs", "rlnAngleRot": "10", "rlnOriginX": "0", "rlnGroupName": "g 1"}
OTHERS = {
    "copy": {},
    "symmetry": {"rlnAngleRot": "190"},
    "again": {"rlnOriginX": "1.5"},
    "namesakes": {"rlnImageName": "1@b.mrcs"},
}
SAID = {
    "copy": r"row 2 is a copy of row 1, equal in all columns \(1 such row\); remove the copies",
    "symmetry": r"row 2 is the image of row 1 with other angles \(rlnAngleRot '10' and '190'\), as "
    r"after symmetry expansion \(1 such row\), .*; give the file before expansion",
    "again": r"row 2 is the image of row 1 with other values \(rlnOriginX '0' and '1.5'\)",
    "namesakes": r"rows 1 and 2 are two images of one name \(rlnImageName '1@a.mrcs' and "
    r"'1@b.mrcs'\) \(1 such row\); rename",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_each_kind_of_repetition_is_named_with_what_to_do(kind: str, tmp_path: Path) -> None:
    rows = pd.DataFrame([ROW, ROW | OTHERS[kind]], dtype=object)
    assert repeat_kinds(rows[1:], rows[:1], ["rlnImageName"]).tolist() == [kind]
    write_table(tmp_path / "a.star", rows)
    star = read_star(tmp_path / "a.star")
    repeats = Repeats(np.array([1]), np.array([0]))
    error = repeat_error(star, star.tables[0], repeats, thing="image", same=["rlnImageName"])
    assert pd.Series([str(error)]).str.contains(SAID[kind]).all(), str(error)


def test_an_image_of_another_name_is_no_symmetry_mate() -> None:
    rows = pd.DataFrame([ROW, ROW | OTHERS["namesakes"] | OTHERS["symmetry"]], dtype=object)
    assert repeat_kinds(rows[1:], rows[:1], ["rlnImageName"]).tolist() == ["namesakes"]
    assert repeat_kinds(rows[1:], rows[:1], []).tolist() == ["symmetry"]


def test_one_pair_that_is_no_copy_is_spoken_of_before_copies(tmp_path: Path) -> None:
    rows = pd.DataFrame([ROW, ROW, ROW, ROW | OTHERS["symmetry"]], dtype=object)
    write_table(tmp_path / "a.star", rows)
    star = read_star(tmp_path / "a.star")
    repeats = find_repeats(rows["rlnImageName"].to_numpy())
    error = repeat_error(star, star.tables[0], repeats, thing="image", same=())
    assert "row 4 is the image of row 1 with other angles" in str(error)
    assert "(1 such row)" in str(error)


def test_every_row_but_the_first_of_a_key_repeats_it() -> None:
    repeats = find_repeats(np.array(list("abacba"), dtype=object))
    assert repeats.later.tolist() == [2, 4, 5]
    assert repeats.earlier.tolist() == [0, 1, 0]
    assert not len(find_repeats(np.arange(4)).later)
