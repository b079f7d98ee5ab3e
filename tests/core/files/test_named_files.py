"""Which of several files a name stands for, and how often the file system is asked."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files import named_files
from tomodrgn.core.files.mrc import write_stack
from tomodrgn.core.files.named_files import SearchOrder, stack_folder
from tomodrgn.core.files.stack_choice import found_stacks

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = "stacks/1.mrcs"
PLACES = {
    "datadir": "data/stacks/1.mrcs",
    "end of the path in datadir": "data/1.mrcs",
    "beside": "set/run/stacks/1.mrcs",
    "above": "set/stacks/1.mrcs",
    "current": "here/stacks/1.mrcs",
    "name beside": "set/run/1.mrcs",
}
"""Where the file of a name may lie, in the order in which it is looked for."""


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SearchOrder:
    """Looks from a STAR file two folders down, with a data folder, from another folder."""
    for folder in ("data", "set/run", "here"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    star = tmp_path / "set" / "run" / "particles.star"
    return SearchOrder(star=star, datadir=tmp_path / "data", looks_above=True)


def write(root: Path, places: Iterable[str], n_images: Iterable[int]) -> list[Path]:
    """Stacks at some of the places."""
    paths = [root / PLACES[place] for place in places]
    for path, n in zip(paths, n_images, strict=True):
        write_stack(path, np.zeros((n, 4, 4), np.float32), 1.0)
    return paths


def test_files_are_looked_for_from_the_data_folder_to_the_name_alone(
    order: SearchOrder, tmp_path: Path
) -> None:
    paths = write(tmp_path, PLACES, [1] * len(PLACES))
    for path in paths:
        assert order.find(NAME)[0].path.resolve() == path
        path.unlink()
    assert order.find(NAME) == []


def test_every_path_that_is_tried_is_told_in_order(order: SearchOrder, tmp_path: Path) -> None:
    tried = [path.absolute() for path in order.tried(NAME)]
    places = [tmp_path / place for place in PLACES.values()]
    assert [path for path in tried if path in places] == places


def test_folders_above_are_left_out_where_not_asked_for(tmp_path: Path) -> None:
    star = tmp_path / "set" / "particles.star"
    write_stack(tmp_path / NAME, np.zeros((1, 4, 4), np.float32), 1.0)
    star.parent.mkdir()
    assert SearchOrder(star=star).find(NAME) == []
    assert SearchOrder(star=star, looks_above=True).find(NAME)[0].base == tmp_path


def test_one_file_in_two_places_is_no_choice(order: SearchOrder, tmp_path: Path) -> None:
    beside, current = (tmp_path / PLACES[place] for place in ("beside", "current"))
    write(tmp_path, ["beside"], [1])
    current.parent.mkdir(parents=True)
    current.hardlink_to(beside)
    assert len(order.find(NAME)) == 1
    current.unlink()
    current.parent.rmdir()
    current.parent.symlink_to(beside.parent)
    assert len(order.find(NAME)) == 1


def test_stacks_alike_in_two_places_are_said(
    order: SearchOrder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    beside, _ = write(tmp_path, ["beside", "current"], [2, 2])
    with caplog.at_level(logging.WARNING):
        assert found_stacks([NAME], SearchOrder(star=order.star)) == [beside]
    assert f"{beside} is taken, {NAME} is passed over" in caplog.text


def test_stacks_that_differ_need_a_choice(order: SearchOrder, tmp_path: Path) -> None:
    beside, current = write(tmp_path, ["beside", "current"], [2, 3])
    with pytest.raises(DataError, match=r"stands for two files that differ: .*--datadir") as error:
        found_stacks([NAME], SearchOrder(star=order.star))
    assert f"{beside} (2 images" in str(error.value)
    assert f"{NAME} (3 images" in str(error.value)
    for folder, path in ((order.star.parent, beside), (Path(), current)):
        assert f"--datadir {folder}" in str(error.value)
        chosen = SearchOrder(star=order.star, datadir=folder)
        assert found_stacks([NAME], chosen)[0].resolve() == path


def test_a_set_inside_the_folder_of_another_has_its_own_stacks(
    order: SearchOrder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    beside, above = write(tmp_path, ["beside", "above"], [2, 3])
    with caplog.at_level(logging.WARNING):
        order = SearchOrder(star=order.star, looks_above=True)
        assert found_stacks([NAME], order) == [beside]
    assert f"{beside} is taken, {above} is passed over" in caplog.text


def test_a_data_folder_without_the_stacks_is_said(
    order: SearchOrder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    beside = write(tmp_path, ["beside"], [1])
    with caplog.at_level(logging.WARNING):
        assert found_stacks([NAME], order) == beside
    assert f"1 of 1 image stacks are not in --datadir {tmp_path / 'data'}" in caplog.text


def test_names_of_which_only_the_ends_agree_are_not_one_stack(
    order: SearchOrder, tmp_path: Path
) -> None:
    write(tmp_path, ["end of the path in datadir"], [1])
    with pytest.raises(DataError, match=r"a/1.mrcs and b/1.mrcs both lead to .*data/1.mrcs"):
        found_stacks(["a/1.mrcs", "b/1.mrcs"], order)


def test_many_stacks_in_the_first_place_cost_one_look_each(
    order: SearchOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_stacks, asked = 500, []
    (tmp_path / "data" / "stacks").mkdir()
    names = [f"stacks/{number}.mrcs" for number in range(n_stacks)]
    for name in names:
        (tmp_path / "data" / name).touch()
    for name in ("is_file", "_identity"):
        function = getattr(named_files, name)
        monkeypatch.setattr(
            named_files, name, lambda path, f=function: asked.append(path) or f(path)
        )
    for name in names:
        order.find(name)
    assert n_stacks <= len(asked) < n_stacks + 20  # and folders once, as many as are above


def test_the_folder_to_name_for_stacks_is_where_they_were_found(
    order: SearchOrder, tmp_path: Path
) -> None:
    assert stack_folder(NAME, order.star, None) == order.star.parent
    assert stack_folder(NAME, order.star, "lost") == Path("lost")
    write(tmp_path, ["above"], [1])
    assert stack_folder(NAME, order.star, None) == tmp_path / "set"
