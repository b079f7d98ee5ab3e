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
from tomodrgn.plugins.readers.optimisation_set.joined_sets import refuse_joined_tomograms
from tomodrgn.plugins.readers.optimisation_set.reader import OptimisationSet

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.plugins.readers.specs import JoinBy

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


def _said(table: pd.DataFrame, folder: Path, join_by: JoinBy = "auto") -> str:
    try:
        refuse_joined_tomograms(table, folder / "p.star", folder / "t.star", join_by)
    except DataError as error:
        return str(error)
    return ""


def test_one_tomogram_with_stacks_in_two_places_is_refused_with_both(tmp_path: Path) -> None:
    said = _said(_particles("a/stacks/TS_1", "b/stacks/TS_1"), tmp_path)
    assert "rows 1 and 5 are of a/stacks/TS_1/0.mrcs and b/stacks/TS_1/0.mrcs (1 such" in said
    assert "tilt series of that name in" in said
    assert "t.star; rename the tomograms of one session" in said
    other = _particles("c/TS_2").assign(rlnTomoName="TS_2")
    both = pd.concat([_particles("a", "b"), other], ignore_index=True)
    assert "rows 1 and 5 are of a/0.mrcs and b/0.mrcs (1 such tomogram)" in _said(both, tmp_path)


def test_the_user_may_say_that_it_is_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert not _said(_particles("a", "b"), tmp_path, "name")
    assert "rows 1 and 5 are of a/0.mrcs and b/0.mrcs" in caplog.text
    assert "cannot tell apart, as tilt series are found by name" in _said(
        _particles("a", "b"), tmp_path, "stack"
    )


def test_every_way_to_read_a_joined_set_refuses_it(tmp_path: Path) -> None:
    written = made.relion5_set()
    of_one = np.flatnonzero(written.particles["rlnTomoName"] == "TS_1")
    later = written.particles.iloc[np.repeat(of_one, 4)].reset_index(drop=True)
    here = np.arange(len(later)) % 2 == 0
    later["rlnImageName"] = [
        f"{'a' if own else 'b'}/{k}.mrcs" for k, own in enumerate(here.tolist())
    ]
    later["rlnTomoParticleName"] = [f"TS_1/{k + 1}" for k in range(len(later))]
    written.particles = later
    path = written.write(tmp_path)
    for ask in (lambda: _reader(path).read(), lambda: _reader(path).source_rows()):
        with pytest.raises(DataError, match="rename the tomograms of one session"):
            ask()
    one = OptimisationSetSpec(path=path, join_by="name")
    reader = OptimisationSet(one, ReaderContext(needs_images=False))
    assert reader.read().n_particles == len(reader.source_rows().tomogram) == len(later)


@pytest.mark.parametrize(
    "folders",
    [
        ["stacks/TS_1"],
        ["Extract/job041/Subtomograms/TS_1", "Extract/job055/Subtomograms/TS_1"],  # picked twice
        [f"stacks/{k}" for k in range(2 * N)],
    ],
)
def test_stacks_where_programs_put_those_of_one_tomogram_are_not(
    folders: list[str], tmp_path: Path
) -> None:
    table = _particles(*folders)
    one_each = table.iloc[::N] if len(folders) > N else table
    assert not _said(one_each.reset_index(drop=True), tmp_path)
    assert not _said(table.drop(columns="rlnImageName"), tmp_path)
