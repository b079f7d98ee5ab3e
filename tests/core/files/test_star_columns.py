"""Changed columns change; everything else of a STAR file stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.files.star import read_star
from tomodrgn.core.files.star_columns import with_columns, with_values

if TYPE_CHECKING:
    from pathlib import Path

STAR = """# made by hand
data_general

_rlnKind   old   # why
_rlnOther  2

data_optics

loop_
_rlnOpticsGroup #1
_rlnImageSize #2
1   32

data_particles

loop_
_rlnName #1
_rlnX #2
_rlnNote #3
01 1e0 'two "quoted" words'
02  2  "it's"
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_only_the_changed_columns_change(line_end: str, tmp_path: Path) -> None:
    path = tmp_path / "in.star"
    path.write_bytes(STAR.replace("\n", line_end).encode())
    star = read_star(path)
    new = {"particles": {"rlnX": np.array(["7", "two words"], dtype=object)}}
    path.write_bytes(with_columns(star, new))
    again = read_star(path)
    table = again.read(again.table_with("rlnX"))
    assert table["rlnX"].tolist() == ["7", "two words"]
    before = star.read(star.table_with("rlnX"))
    for name in ("rlnName", "rlnNote"):
        assert table[name].tolist() == before[name].tolist()
    start = again.table_with("rlnX").start
    assert again.content[:start] == star.content[:start]


def test_blocks_after_a_changed_one_stay(tmp_path: Path) -> None:
    path = tmp_path / "in.star"
    path.write_text(STAR)
    star = read_star(path)
    path.write_bytes(with_columns(star, {"optics": {"rlnImageSize": np.array(["16"], object)}}))
    again = read_star(path)
    assert again.read(again.table_with("rlnImageSize"))["rlnImageSize"].tolist() == ["16"]
    assert again.content.endswith(star.content[star.content.index(b"data_particles") :])


def test_no_change_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "in.star"
    path.write_text(STAR)
    assert with_columns(read_star(path), {}) == STAR.encode()
    assert with_values(read_star(path), {}) == STAR.encode()


def test_plain_values_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "in.star"
    path.write_text(STAR)
    path.write_bytes(with_values(read_star(path), {"rlnKind": r"a \1 b"}))
    general = read_star(path).blocks[0]
    assert (general.columns, general.values) == (("rlnKind", "rlnOther"), (r"a \1 b", "2"))


def test_values_are_replaced_without_a_loop_and_in_one(tmp_path: Path) -> None:
    path = tmp_path / "in.star"
    path.write_text("data_a\n\n_rlnKind   'an old one'   # why\n\ndata_b\nloop_\n_rlnX #1\n1\n")
    star = read_star(path)
    changed = with_values(star, {"rlnKind": "new", "rlnX": "2"})
    assert changed.startswith(b"data_a\n\n_rlnKind   new   # why\n\ndata_b\nloop_\n_rlnX #1\n2\n")
    columns = {"a": {"rlnKind": np.array(["two words"], dtype=object)}}
    assert with_columns(star, columns) == star.content.replace(b"'an old one'", b'"two words"')
