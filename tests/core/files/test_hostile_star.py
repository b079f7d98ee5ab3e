"""STAR files that no program writes are read right or refused, quickly and in little memory."""

from __future__ import annotations

import os
import random
import time
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files import star_rows
from tomodrgn.core.files.star import numeric_column, read_star
from tomodrgn.core.files.star_rows import split_row
from tomodrgn.core.files.star_selection import RowSelection, TableLines, selected

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST_SECONDS = 2.0
MAX_BYTES_PER_BYTE = 300  # the text of a value is a Python object of some 60 bytes
MAX_BYTES_EVER = 20_000_000

NAMES = ("rlnImageName", "rlnGroupName", "rlnAngleRot")
ROWS = [f"{row}@a.mrcs\t{row // 3:03d}\t{row * 1.5}" for row in range(1, 41)]
TEXT = "\n".join(
    [
        *("# version 30001", "", "data_optics", "", "loop_", "_rlnOpticsGroup #1", "1", ""),
        *("data_particles", "", "loop_", *(f"_{name} #{n}" for n, name in enumerate(NAMES, 1))),
        *(*ROWS, "", "data_general", "", "_rlnIs2D 1", ""),
    ]
).encode()
PIECES = (
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", "\u2028é".encode(), b"\r", b"\x1a", b"\x0c"),
    *(b"'", b'"', b" '", b' "', b";", b"#", b"@", b"_", b"\n", b"\n\n", b"\t", b" " * 50),
    *(b"\ndata_\n", b"data_", b"\nloop_\n", b"loop_", b"\n_x\n", b"_rlnAngleRot", b"\nstop_\n"),
    *(b"nan", b"1e999", b"-inf", b"9" * 400, b"1_000", b"0x1F", b"1,5", b"--1"),
)


def _insert(text: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(text))
    return text[:place] + rng.choice(PIECES) + text[place:]


def _cut(text: bytes, rng: random.Random) -> bytes:
    return text[: rng.randrange(len(text))]


def _drop(text: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(text))
    return text[:place] + text[place + rng.randrange(60) :]


def _flip(text: bytes, rng: random.Random) -> bytes:
    changed = bytearray(text)
    for _ in range(rng.randrange(1, 8)):
        changed[rng.randrange(len(text))] = rng.randrange(256)
    return bytes(changed)


def _repeat(text: bytes, rng: random.Random) -> bytes:
    first, last = sorted(rng.sample(range(len(text)), 2))
    return text[:last] + text[first:last] * rng.randrange(1, 200) + text[last:]


def _shuffle(text: bytes, rng: random.Random) -> bytes:
    lines = text.split(b"\n")
    rng.shuffle(lines)
    return b"\n".join(lines)


MUTATIONS = (_insert, _cut, _drop, _flip, _repeat, _shuffle)


def _mutated(seed: int) -> bytes:
    """The text after some changes, always the same ones for a seed."""
    rng, text = random.Random(seed), TEXT  # noqa: S311  no secrets here
    for _ in range(rng.randrange(1, 4)):
        text = rng.choice(MUTATIONS)(text, rng) or b"\n"
    return text


def _read_all(path: Path) -> list[list[str]]:
    """The particles of a file, after every table has been read and all rows have been copied."""
    star = read_star(path)
    for block in star.tables:
        assert list(star.read(block).columns) == list(block.columns)
    table = star.read(star.table_with("rlnImageName"), NAMES)
    if "rlnAngleRot" in table:
        numeric_column(table, "rlnAngleRot", path)
    lines = TableLines(star, star.table_with("rlnImageName"))
    everything = RowSelection(table=lines, keeps=np.ones(len(table), dtype=bool))
    assert b"".join(selected(star, [everything])) == path.read_bytes()
    return table.to_numpy().tolist()


def _read_or_refuse(path: Path) -> list[list[str]] | str:
    """The particles of a file, or the error in one line that refuses it."""
    try:
        return _read_all(path)
    except DataError as error:
        message = str(error)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < 20_000
    return message


def _read_within_bounds(path: Path) -> list[list[str]] | str:
    """The particles of a file or an error, in bounded time and memory."""
    started = time.process_time()
    result = _read_or_refuse(path)
    assert time.process_time() - started < MOST_SECONDS
    tracemalloc.start()
    try:
        assert _read_or_refuse(path) == result
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < MAX_BYTES_EVER + MAX_BYTES_PER_BYTE * path.stat().st_size
    return result


@pytest.mark.parametrize("block", range(10))
def test_mutated_files_are_read_or_refused(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.star"
    n_refused = 0
    for seed in range(30 * block, 30 * block + 30):
        path.write_bytes(_mutated(seed))
        result = _read_within_bounds(path)
        n_refused += isinstance(result, str)
        with monkeypatch.context() as patch:  # long tables are read by another parser
            patch.setattr(star_rows, "_FEW_BYTES", 0)
            again = _read_within_bounds(path)
        assert again == result or (isinstance(again, str) and isinstance(result, str))
    assert 0 < n_refused < 30  # the changes neither spare nor spoil every file


def test_a_value_that_is_no_number_never_becomes_one(tmp_path: Path) -> None:
    for text in ("nan", "1e999", "-inf", "9" * 400, "1,5", "--1", "1e39", "x" * 100_000):
        path = tmp_path / "a.star"
        path.write_text(f"data_\nloop_\n_a\n{text}\n")
        star = read_star(path)
        with pytest.raises(DataError, match=r"column a, row 1: .* is not a finite number") as error:
            numeric_column(star.read(star.blocks[0]), "a", path)
        assert len(str(error.value)) < 1000


def _line_of(n_values: int) -> bytes:
    return b"1 " * n_values + b"\n"


MONSTERS: dict[str, Callable[[], bytes]] = {
    "a line of 10^6 values": lambda: b"data_\nloop_\n_a\n_b\n1 2\n" + _line_of(10**6),
    "a first line of 10^6 values": lambda: b"data_\nloop_\n_a\n_b\n" + _line_of(10**6),
    "10^6 columns": lambda: b"data_\nloop_\n" + b"_a\n" * 10**6 + _line_of(10**6),
    "10^5 distinct columns": lambda: (
        b"data_\nloop_\n" + b"".join(b"_a%d\n" % n for n in range(10**5)) + _line_of(10**5)
    ),
    "a header line of 10^6 words": lambda: b"data_\nloop_\n_a " + _line_of(10**6),
    "10^6 blocks": lambda: b"data_x\n" * 10**6,
    "1000 tables": lambda: b"data_\nloop_\n_a\n1\n" * 1000,
    "quotes that never close": lambda: b"data_\nloop_\n_a\n" + b'"a ' * 100_000,
    "quotes of both kinds": lambda: b"data_\nloop_\n_a\n" + b"\"'a \" ' " * 50_000,
    "one quote, then 10^6 lines": lambda: b"data_\nloop_\n_a\n'1\n" + b"1\n" * 10**5,
    "one value of 10^7 bytes": lambda: b"data_\nloop_\n_a\n" + b"1" * 10**7,
    "10^7 spaces": lambda: b"data_\nloop_\n_a\n" + b" " * 10**7 + b"1\n",
    "10^6 empty lines": lambda: b"data_\nloop_\n_a\n" + b"\n" * 10**6 + b"1\n",
    "10^5 comments": lambda: b"data_\nloop_\n_a\n" + b"# 1\n" * 10**5 + b"1\n",
    "no line end at all": lambda: b"data_ loop_ _a " + _line_of(10**6)[:-1],
    "old line ends": lambda: TEXT.replace(b"\n", b"\r"),
    "two bytes a letter": lambda: TEXT.decode().encode("utf-16"),
    "images": lambda: np.random.default_rng(0).bytes(10**6),
    "zeros": lambda: bytes(10**6),
    "columns without rows": lambda: b"data_\nloop_\n_rlnImageName\n_rlnGroupName",
    "loop without columns": lambda: b"data_\nloop_\n",
    "rows without columns": lambda: b"data_\nloop_\n1 2 3\n",
}


@pytest.mark.parametrize("monster", MONSTERS)
def test_monsters_are_read_or_refused(monster: str, tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    path.write_bytes(MONSTERS[monster]())
    _read_within_bounds(path)


def test_a_second_table_in_a_block_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    for text in ("_a 1\nloop_\n_b\n1\n", "loop_\n_b\n1\nloop_\n_c\n2\n", "loop_\nloop_\n_b\n1\n"):
        path.write_text(f"data_x\n{text}")
        with pytest.raises(DataError, match="data_x holds a second table"):
            read_star(path)


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.star")
    with pytest.raises(DataError, match="is a pipe or a device; give a file"):
        read_star(tmp_path / "pipe.star")
    with pytest.raises(DataError, match="is a folder; give a file"):
        read_star(tmp_path)


def test_rows_are_split_at_space_outside_quotes() -> None:
    for line, values in {
        b"a 'b c' d": [b"a", b"b c", b"d"],
        b"'a b\" c' \"d 'e\"": [b'a b" c', b"d 'e"],
        b"'it's one' x": [b"it's one", b"x"],
        b"'never closed": [b"'never", b"closed"],
        b"'' \"\"": [b"", b""],
        b"5'-end 3'-end": [b"5'-end", b"3'-end"],
        b" 'a' ": [b"a"],
    }.items():
        assert split_row(line) == values
