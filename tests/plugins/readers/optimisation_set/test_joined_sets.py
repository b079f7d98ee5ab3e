"""Sets of two sessions that were joined in one particles file, with tomograms of one or of both."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tests.plugins.readers import handmade_sets as made
from tomodrgn.core.errors import DataError
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.plugins.readers import OptimisationSetSpec
from tomodrgn.plugins.readers.optimisation_set.joined_sets import say_joined_tomograms
from tomodrgn.plugins.readers.optimisation_set.reader import OptimisationSet

if TYPE_CHECKING:
    from pathlib import Path

N = 4


def _reader(path: Path) -> OptimisationSet:
    return OptimisationSet(OptimisationSetSpec(path=path), ReaderContext(needs_images=False))


def test_tomograms_that_only_the_other_session_has_are_named_with_the_file(tmp_path: Path) -> None:
    written = made.relion5_set()
    written.tomograms = written.tomograms.iloc[:0]
    reader = _reader(written.write(tmp_path))
    said = r"tomograms\.star: tomograms TS_1, TS_10 are missing.*join their tomograms files, too"
    with pytest.raises(DataError, match=said):
        reader.read()
    with pytest.raises(DataError, match=r"tomogram TS_1 is missing"):  # of rows that are chosen
        reader.write_selection(np.arange(4), tmp_path / "out.star")


def _particles(*folders: str) -> pd.DataFrame:
    """N particles of the tomogram TS_1 with stacks in each folder."""
    stacks = [f"{folder}/{k}.mrcs" for folder in folders for k in range(N)]
    return pd.DataFrame({"rlnTomoName": "TS_1.tomostar", "rlnImageName": stacks}, dtype=object)


def _said(table: pd.DataFrame, folder: Path, caplog: pytest.LogCaptureFixture) -> str:
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        say_joined_tomograms(table, folder / "p.star", folder / "t.star")
    return caplog.text


def test_one_tomogram_with_stacks_in_two_places_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = _said(_particles("a/stacks/TS_1", "b/stacks/TS_1"), tmp_path, caplog)
    assert "tomogram TS_1.tomostar have stacks in a/stacks and in b/stacks (1 such" in said
    assert "t.star" in said
    other = _particles("c/TS_2").assign(rlnTomoName="TS_2")
    both = pd.concat([_particles("a", "b"), other], ignore_index=True)
    assert "have stacks in a and in b (1 such tomogram)" in _said(both, tmp_path, caplog)


@pytest.mark.parametrize(
    "folders",
    [
        ["stacks/TS_1"],
        ["Extract/job041/Subtomograms/TS_1", "Extract/job055/Subtomograms/TS_1"],  # picked twice
        [f"stacks/{k}" for k in range(2 * N)],
    ],
)
def test_stacks_where_programs_put_those_of_one_tomogram_are_not(
    folders: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = _particles(*folders)
    one_each = table.iloc[::N] if len(folders) > N else table
    assert not _said(one_each.reset_index(drop=True), tmp_path, caplog)
    assert not _said(table.drop(columns="rlnImageName"), tmp_path, caplog)
