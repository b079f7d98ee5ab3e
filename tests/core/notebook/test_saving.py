from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.core.notebook.small_analysis import INDICES, small_analysis
from tomodrgn.core.errors import DataError, OutputError
from tomodrgn.core.files.pickles import read_index_file, read_latents
from tomodrgn.core.notebook.saving import load_selection, save_selection
from tomodrgn.core.notebook.selections import select_rows

CHOSEN = [3, 0, 7, 12]


def test_kept_and_dropped_indices_are_the_right_way_round(tmp_path: Path) -> None:
    save_selection(select_rows(small_analysis(), CHOSEN), tmp_path)
    kept = read_index_file(tmp_path / "ind_keep.4.pkl")
    dropped = read_index_file(tmp_path / "ind_drop.4.pkl")
    assert kept.tolist() == sorted(INDICES[CHOSEN].tolist())
    assert sorted([*kept, *dropped]) == sorted(INDICES)


def test_latents_are_in_the_order_of_the_indices(tmp_path: Path) -> None:
    analysis = small_analysis()
    save_selection(select_rows(analysis, CHOSEN), tmp_path, by_tomogram=True)
    for kept in tmp_path.glob("ind_keep.*"):
        latents, _ = read_latents(kept.with_name(kept.name.replace("ind_keep", "z_keep")))
        rows = [INDICES.tolist().index(index) for index in read_index_file(kept)]
        np.testing.assert_array_equal(latents, analysis.latents[rows])
    assert len(list(tmp_path.glob("ind_keep.*"))) == 3


def test_names_find_their_particles_in_another_order(tmp_path: Path) -> None:
    saved = save_selection(select_rows(small_analysis(), CHOSEN), tmp_path)
    other = small_analysis(order=np.random.default_rng(1).permutation(20))
    for path in saved[:2]:
        found = load_selection(other, path)
        assert sorted(other.table["particle"][found.rows]) == ["p0", "p12", "p3", "p7"]


def test_saving_twice_is_fine_but_not_two_selections(tmp_path: Path) -> None:
    analysis = small_analysis()
    assert save_selection(select_rows(analysis, [0]), tmp_path)
    assert save_selection(select_rows(analysis, [0]), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OutputError, match="holds another selection of as many particles"):
        save_selection(select_rows(analysis, [1]), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_nothing_selected_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing is selected"):
        save_selection(select_rows(small_analysis(), []), tmp_path)
    assert not list(tmp_path.iterdir())


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "a.txt").write_text("1\n")
    with pytest.raises(DataError, match="is no saved selection"):
        load_selection(small_analysis(), tmp_path / "a.json")
    with pytest.raises(DataError, match="index 1 is no particle of this run"):
        load_selection(small_analysis(), tmp_path / "a.txt")
