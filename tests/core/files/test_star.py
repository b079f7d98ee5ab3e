"""STAR tables are read as the text they hold, and kept rows keep their bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files import star_rows
from tomodrgn.core.files.star import numeric_column, read_star, write_table

TABLE = """# made by hand

data_

loop_
_rlnImageName #1
_rlnGroupName #2
_rlnAngleRot #3
1@a.mrcs 01 -45.0
2@a.mrcs 1e5 0.10
"""
HEADER = TABLE[: TABLE.index("1@a")]
CELLS = [["1@a.mrcs", "01", "-45.0"], ["2@a.mrcs", "1e5", "0.10"]]


def _cells(path: Path) -> list[list[str]]:
    star = read_star(path)
    return star.read(star.table_with("rlnImageName")).to_numpy().tolist()


@pytest.fixture
def star_path(tmp_path: Path) -> Path:
    path = tmp_path / "a.star"
    path.write_text(TABLE)
    return path


def _with_quotes(text: str) -> str:
    return text.replace(" 01 ", " '01' ").replace(" 1e5 ", ' "1e5" ')


VARIANTS = {
    "plain": lambda text: text,
    "windows line ends": lambda text: text.replace("\n", "\r\n"),
    "tabs": lambda text: text.replace(" ", "\t"),
    "many spaces": lambda text: text.replace(" ", "   ").replace("\n", "  \n"),
    "no numbers": lambda text: text.replace(" #1", "").replace(" #2", "").replace(" #3", ""),
    "no last line end": lambda text: text.rstrip("\n"),
    "blank last lines": lambda text: text + "\n \t\n\n",
    "blank lines between rows": lambda text: text.replace("\n2@", "\n\n \n2@"),
    "blank lines in the header": lambda text: text.replace("\n_", "\n\n_"),
    "comments": lambda text: text.replace("\n2@", "\n# comment\n2@").replace("\n_", "\n# x\n_"),
    "quotes": _with_quotes,
    "double quotes": lambda text: text.replace(" 01 ", ' "01" '),
    "indented rows": lambda text: text.replace("\n1@", "\n  1@").replace("\n2@", "\n\t2@"),
    "no block name": lambda text: text.replace("data_\n", ""),
    "byte order mark": lambda text: "\ufeff" + text,
    "byte order mark at once": lambda text: "\ufeff" + text[text.index("data_") :],
    "comments behind values": lambda text: text.replace("-45.0\n", "-45.0 # it's a note\n"),
    "comments behind quotes": lambda text: _with_quotes(text).replace("0.10", "0.10\t#'note'"),
}


@pytest.mark.parametrize("is_long", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_way_to_write_a_table_reads_the_same(
    variant: str, is_long: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_long:  # pandas parses where it can
        monkeypatch.setattr(star_rows, "_FEW_BYTES", 0)
    (tmp_path / "a.star").write_text(VARIANTS[variant](TABLE), newline="")
    assert _cells(tmp_path / "a.star") == CELLS


def test_a_number_sign_inside_a_value_begins_no_comment(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text(HEADER + "1@a#1.mrcs '# 1' 0.5\n")
    assert _cells(tmp_path / "a.star") == [["1@a#1.mrcs", "# 1", "0.5"]]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quoted_values_may_be_empty_or_hold_spaces(quote: str, tmp_path: Path) -> None:
    text = f"data_\nloop_\n_rlnImageName\n_x\n1@a {quote}two words{quote}\n2@a {quote}{quote}\n"
    (tmp_path / "a.star").write_text(text)
    assert _cells(tmp_path / "a.star") == [["1@a", "two words"], ["2@a", ""]]


def test_an_apostrophe_inside_a_value_is_no_quote(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("data_\nloop_\n_rlnImageName\n1@5'-end\n2@a\"b\n")
    assert _cells(tmp_path / "a.star") == [["1@5'-end"], ['2@a"b']]


def test_a_table_without_rows_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("data_\n\nloop_\n_rlnImageName #1\n_rlnGroupName #2")
    star = read_star(tmp_path / "a.star")
    table = star.read(star.table_with("rlnGroupName"))
    assert len(table) == 0
    assert list(table.columns) == ["rlnImageName", "rlnGroupName"]


def test_blocks_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text(
        "data_general\n\n_rlnIs2D 1\n\ndata_optics\n\nloop_\n_rlnOpticsGroup #1\n1\n\n"
        "# version\ndata_particles\n\nloop_\n_rlnImageName #1\n_rlnOpticsGroup\n1@data_x 1\n"
        "data_x@1 1\n"
    )
    star = read_star(tmp_path / "a.star")
    assert [block.name for block in star.blocks] == ["general", "optics", "particles"]
    assert star.blocks[0].values == ("1",)
    assert star.table_with("rlnImageName").name == "particles"
    assert star.table_with("rlnOpticsGroup").name == "optics"
    assert len(star.read(star.blocks[2])) == 2


def test_names_with_values_are_a_table_of_one_row(tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    path.write_text("data_optics\n\n_rlnOpticsGroup 1 # the only one\n_rlnName 'two words'\n")
    star = read_star(path)
    table = star.read(star.table_with("rlnOpticsGroup"), ["rlnName", "rlnOpticsGroup"])
    assert table.to_dict("list") == {"rlnOpticsGroup": ["1"], "rlnName": ["two words"]}
    assert star.value_of("rlnName") == "two words"
    assert star.value_of("rlnAbsent") is None


@pytest.mark.parametrize("rows", ["", "1 a\n2 b\n"])
def test_a_value_is_that_of_one_row(rows: str, tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    header = "data_\nloop_\n_rlnOpticsGroup #1\n_rlnName #2\n"
    path.write_text(header + "1 a\n")
    assert read_star(path).value_of("rlnName") == "a"
    path.write_text(header + rows)
    with pytest.raises(DataError, match=r"data_ has (0|2) rows with rlnName; one is needed"):
        read_star(path).value_of("rlnName")


def test_chosen_columns_come_in_the_order_of_the_table(star_path: Path) -> None:
    star = read_star(star_path)
    table = star.read(star.blocks[0], ["rlnAngleRot", "rlnImageName", "absent"])
    assert list(table.columns) == ["rlnImageName", "rlnAngleRot"]


def test_the_head_of_a_file_is_enough_for_its_columns(star_path: Path) -> None:
    head = read_star(star_path, max_bytes=len(TABLE) - 3)
    assert len(head.read(head.blocks[0])) == 1


@pytest.mark.parametrize("row", ["1@a.mrcs 01", "1@a.mrcs 01 -45.0 7"])
@pytest.mark.parametrize("is_first", [True, False])
def test_ragged_rows_are_named(row: str, is_first: bool, tmp_path: Path) -> None:
    header, good = TABLE.split("1@", maxsplit=1)[0], "2@a.mrcs 1e5 0.10"
    rows = [row, good] if is_first else [good, row]
    (tmp_path / "a.star").write_text(header + "\n".join(rows) + "\n")
    number = 1 if is_first else 2
    match = f"a.star: table data_: row {number} has {len(row.split())} values for 3 columns"
    with pytest.raises(DataError, match=match):
        _cells(tmp_path / "a.star")


def test_text_that_is_not_a_finite_number_is_named(star_path: Path) -> None:
    for text in ["north", "nan", "inf", ""]:
        table = pd.DataFrame({"rlnAngleRot": np.array(["1", "-2.5e1", text], dtype=object)})
        match = rf"a\.star: column rlnAngleRot, row 3: '{text}' is not a finite number"
        with pytest.raises(DataError, match=match):
            numeric_column(table, "rlnAngleRot", star_path)
    assert numeric_column(table[:2], "rlnAngleRot", star_path).tolist() == [1.0, -25.0]


@pytest.fixture
def long_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table that is read in several parts, by the parser for long ones."""
    monkeypatch.setattr(star_rows, "_FEW_BYTES", 0)
    monkeypatch.setattr(star_rows, "_PART_BYTES", 1000)
    path = tmp_path / "a.star"
    header = TABLE.split("1@", maxsplit=1)[0]
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=200) * 10.0 ** rng.integers(-9, 9, 200)
    path.write_text(
        header + "".join(f"{n}@a.mrcs {n:03d} {x!r}\n" for n, x in enumerate(numbers.tolist()))
    )
    return path


def test_numbers_are_those_that_their_text_says(long_path: Path) -> None:
    star = read_star(long_path)
    text, numbers = star.read(star.blocks[0]), star.read(star.blocks[0], numbers=["rlnAngleRot"])
    assert numbers["rlnAngleRot"].dtype == np.float64
    assert numbers["rlnAngleRot"].tolist() == [float(value) for value in text["rlnAngleRot"]]
    assert (numbers["rlnGroupName"] == text["rlnGroupName"]).all()


def test_text_among_numbers_stays_and_is_named(long_path: Path) -> None:
    long_path.write_text(long_path.read_text() + "200@a.mrcs 200 north\n")
    star = read_star(long_path)
    table = star.read(star.blocks[0], numbers=["rlnAngleRot"])
    assert table["rlnAngleRot"].iloc[-1] == "north"
    with pytest.raises(DataError, match=r"row 201: 'north' is not a finite number \(1 such"):
        numeric_column(table, "rlnAngleRot", long_path)


def test_a_ragged_row_far_down_is_named(long_path: Path) -> None:
    long_path.write_text(long_path.read_text() + "200@a.mrcs 200\n")
    with pytest.raises(DataError, match="row 201 has 2 values for 3 columns"):
        _cells(long_path)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("1@a.mrcs\t\t0.5\n", "column rlnGroupName is empty"),
        ("1@a.mrcs,2,0.5\n", "separated by commas"),
        ("1@a.mrcs [0, 1] 0.5\n", "a list in brackets has spaces in it, and needs quotes"),
    ],
)
def test_what_makes_a_row_ragged_is_said(row: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    path.write_text(HEADER + row)
    with pytest.raises(DataError, match=rf"row 1 has . values for 3 columns; .*{why}"):
        _cells(path)


@pytest.mark.parametrize("text", ["<NA>", "None", "nan", '""', "inf"])
def test_what_stands_for_no_number_is_named_with_its_row_and_column(
    text: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.star"
    path.write_text(HEADER + f"1@a.mrcs 1 0.5\n2@a.mrcs 1 {text}\n")
    star = read_star(path)
    table = star.read(star.blocks[0], numbers=["rlnAngleRot"])
    match = f"column rlnAngleRot, row 2: '{text.strip(chr(34))}' is not a finite number"
    with pytest.raises(DataError, match=match):
        numeric_column(table, "rlnAngleRot", path)


def test_text_of_16_bits_per_letter_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    path.write_bytes("data_\nloop_\n_a\n1\n".encode("utf-16"))
    with pytest.raises(DataError, match="UTF-16"):
        read_star(path)


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_star(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="rlnImageName is missing, as the file holds no table"):
        read_star(path).table_with("rlnImageName")
    path.write_bytes(b"data_\nloop_\n_a\n_a\n")
    with pytest.raises(DataError, match="names a twice"):
        read_star(path)
    path.write_bytes(b"data_\nloop_\n_a\n\xff\xfe\n")
    star = read_star(path)
    with pytest.raises(DataError, match="line 4 is not UTF-8"):
        star.read(star.blocks[0])


def test_a_written_table_reads_the_same(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "rlnImageName": ["1@a.mrcs", "2@b c.mrcs"],
            "rlnGroupName": ["01", ""],
            "rlnAngleRot": [0.1, -45.0],
        }
    )
    write_table(tmp_path / "a.star", table, "particles")
    assert _cells(tmp_path / "a.star") == table.astype(str).to_numpy().tolist()
