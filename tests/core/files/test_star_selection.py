"""Part of a STAR file: bytes that stay are the original ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.errors import DataError, OutputError
from tomodrgn.core.files.star import StarFile, read_star
from tomodrgn.core.files.star_rows import is_row
from tomodrgn.core.files.star_selection import (
    RowSelection,
    TableLines,
    selected,
    write_together,
)

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = """# version 50001

data_optics

loop_
_rlnOpticsGroup #1
_rlnOpticsGroupName #2
1 first
2 second

# version 50001

data_particles

loop_
_rlnName #1 
_rlnValue #2
a   1.50
# a comment between rows
b\t2.0   
   c  "3 with a space"
d  'it''s'

data_last
_rlnKey   value
"""  # noqa: W291  a space at the end of a line must stay


def star_of(tmp_path: Path, text: str = PLAIN) -> StarFile:
    path = tmp_path / "in.star"
    path.write_bytes(text.encode())
    return read_star(path)


def selection(star: StarFile, keeps: list[int], **changes: object) -> RowSelection:
    block = star.table_with("rlnName")
    table = TableLines(star, block)
    mask = np.isin(np.arange(len(table.of_rows)), keeps)
    return RowSelection(table=table, keeps=mask, **changes)  # type: ignore[arg-type]


def content(star: StarFile, *selections: RowSelection, without: tuple[str, ...] = ()) -> bytes:
    return b"".join(selected(star, selections, without))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_all_rows_give_the_same_bytes(tmp_path: Path, ending: str) -> None:
    star = star_of(tmp_path, PLAIN.replace("\n", ending))
    assert content(star, selection(star, [0, 1, 2, 3])) == star.content


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("row", range(4))
def test_a_row_that_goes_takes_its_line_and_nothing_else(
    tmp_path: Path, ending: str, row: int
) -> None:
    star = star_of(tmp_path, PLAIN.replace("\n", ending))
    first = {0: b"a ", 1: b"b\t", 2: b"   c", 3: b"d "}[row]
    lines = star.content.splitlines(keepends=True)
    expected = b"".join(line for line in lines if not line.startswith(first))
    kept = [other for other in range(4) if other != row]
    assert content(star, selection(star, kept)) == expected


def test_a_replaced_value_changes_alone(tmp_path: Path) -> None:
    star = star_of(tmp_path)
    changed = selection(star, [0, 1, 2, 3], replaced={"rlnValue": {1: "9", 2: "two words"}})
    expected = star.content.replace(b"b\t2.0   ", b"b\t9   ").replace(
        b'"3 with a space"', b'"two words"'
    )
    assert content(star, changed) == expected


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_columns_are_appended_to_kept_rows_and_to_the_header(tmp_path: Path, ending: str) -> None:
    star = star_of(tmp_path, PLAIN.replace("\n", ending))
    values = np.array(["0.5", "with space"], dtype=object)
    grown = content(star, selection(star, [0, 2], appended={"tomodrgnLatent1": values}))
    assert f"_rlnValue #2{ending}_tomodrgnLatent1 #3{ending}".encode() in grown
    assert f"a   1.50\t0.5{ending}".encode() in grown
    assert f'   c  "3 with a space"\t"with space"{ending}'.encode() in grown
    path = tmp_path / "grown.star"
    path.write_bytes(grown)
    found = read_star(path)
    table = found.read(found.table_with("rlnName"))
    assert list(table.tomodrgnLatent1) == ["0.5", "with space"]


def test_the_last_row_of_a_file_need_not_end_its_line(tmp_path: Path) -> None:
    star = star_of(tmp_path, "data_\n\nloop_\n_rlnName\n_rlnValue\na 1\nb 2")
    values = np.array(["x", "y"], dtype=object)
    grown = content(star, selection(star, [0, 1], appended={"new": values}))
    assert grown == b"data_\n\nloop_\n_rlnName\n_rlnValue\n_new\na 1\tx\nb 2\ty\n"


def test_a_column_that_is_there_is_not_appended(tmp_path: Path) -> None:
    star = star_of(tmp_path)
    values = np.array(["1"], dtype=object)
    with pytest.raises(DataError, match="has a column rlnValue already"):
        content(star, selection(star, [0], appended={"rlnValue": values}))


SIMPLE = """data_optics
_rlnOpticsGroup  1

# version 50001

data_particles

_rlnName   a  # the only one
_rlnValue  '1 50'

# the end
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_simple_block_is_a_row_that_keeps_its_bytes(tmp_path: Path, ending: str) -> None:
    star = star_of(tmp_path, SIMPLE.replace("\n", ending))
    table = TableLines(star, star.table_with("rlnName"))
    stays, goes = np.array([True]), np.array([False])
    assert content(star, RowSelection(table=table, keeps=stays)) == star.content
    gone = content(star, RowSelection(table=table, keeps=goes)).decode()
    assert gone == SIMPLE[: SIMPLE.index("data_particles")].replace("\n", ending)
    changes = {
        "replaced": {"rlnValue": {0: "2"}},
        "appended": {"rlnNew": np.array(["3"], dtype=object)},
    }
    text = content(star, RowSelection(table=table, keeps=stays, **changes)).decode()
    expected = SIMPLE.replace("_rlnValue  '1 50'\n", "_rlnValue  2\n_rlnNew\t3\n")
    assert text == expected.replace("\n", ending)


def test_columns_are_appended_before_a_comment(tmp_path: Path) -> None:
    star = star_of(tmp_path, PLAIN.replace("b\t2.0   ", "b\t2.0  # note"))
    new = np.array(["x", "y"], dtype=object)
    text = content(star, selection(star, [0, 1], appended={"rlnNew": new})).decode()
    assert "a   1.50\tx\n" in text
    assert "b\t2.0\ty  # note\n" in text


def test_a_byte_order_mark_stays(tmp_path: Path) -> None:
    star = star_of(tmp_path, "\ufeff" + PLAIN.lstrip())
    assert content(star, selection(star, [0, 1, 2, 3])) == star.content


def test_blocks_go_with_their_header(tmp_path: Path) -> None:
    star = star_of(tmp_path)
    found = content(star, without=("particles",))
    assert b"rlnName" not in found
    assert found.startswith(b"# version 50001\n\ndata_optics")
    assert found.endswith(b"data_last\n_rlnKey   value\n")


def test_files_appear_together_or_not_at_all(tmp_path: Path) -> None:
    def broken() -> object:
        yield b"half"
        raise DataError("stop")

    files = {tmp_path / "set.star": [b"set"], tmp_path / "particles.star": broken()}
    with pytest.raises(DataError, match="stop"):
        write_together(files, [])  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_no_input_is_overwritten(tmp_path: Path) -> None:
    path = star_of(tmp_path).path
    other = tmp_path / "folder" / ".." / "in.star"
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="is the input"):
        write_together({tmp_path / "new.star": [b""], other: [b""]}, [path])
    assert path.read_bytes() == PLAIN.encode()
    assert not (tmp_path / "new.star").exists()


@pytest.mark.parametrize("comment", ["", "# a comment\n"])
def test_rows_without_comments_are_counted_as_those_with_them(tmp_path: Path, comment: str) -> None:
    star = star_of(tmp_path, f"data_\n\nloop_\n_a #1\n1\n\n  \t\n2\n{comment} 3 \n\n")
    table = TableLines(star, star.blocks[0])
    expected = [number for number, line in enumerate(table.lines) if is_row(line)]
    assert table.of_rows.tolist() == expected
    assert [table.lines[number].strip() for number in expected] == [b"1", b"2", b"3"]


def test_several_values_of_a_row_are_replaced_at_once(tmp_path: Path) -> None:
    star = star_of(tmp_path)
    changed = {"rlnName": {1: "longer", 2: "e"}, "rlnValue": {1: "7", 3: "a b"}}
    text = content(star, selection(star, [0, 1, 2, 3], replaced=changed))
    assert b"\nlonger\t7   \n   e  \"3 with a space\"\nd  'a b'\n" in text.replace(
        b'"a b"', b"'a b'"
    )
