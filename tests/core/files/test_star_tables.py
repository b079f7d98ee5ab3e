"""Several tables that could be meant."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import read_star
from tomodrgn.core.files.star_tables import the_one_table

if TYPE_CHECKING:
    from pathlib import Path

TABLE = "data_a\nloop_\n_rlnX #1\n_rlnY #2\n1 2\n3 4\n"


def test_tables_with_the_same_rows_are_one_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.star"
    path.write_text(TABLE + "\ndata_b\nloop_\n_rlnY #1\n_rlnX #2\n2 1\n4 3\n")
    star = read_star(path)
    with caplog.at_level(logging.WARNING):
        assert the_one_table(star, star.tables, "points") == star.tables[0]
        the_one_table(read_star(path), star.tables, "points")
    assert caplog.text.count("data_a is taken, data_b is passed over") == 1


@pytest.mark.parametrize("other", ["data_b\nloop_\n_rlnX #1\n_rlnY #2\n1 2\n", "data_a\n_rlnX 1\n"])
def test_tables_that_differ_are_refused_with_both(other: str, tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    path.write_text(TABLE + "\n" + other)
    star = read_star(path)
    name = star.tables[1].name
    match = rf"two tables of points that differ, data_a \(2 rows\) and data_{name} \(1 rows\)"
    with pytest.raises(DataError, match=match):
        the_one_table(star, star.tables, "points")
