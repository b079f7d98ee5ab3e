"""Files appear together or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tomodrgn.core.errors import OutputError
from tomodrgn.core.files.staging import staged
from tomodrgn.core.ownership.call import calling

if TYPE_CHECKING:
    from pathlib import Path


def test_files_and_folders_appear_when_all_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "down"
    with staged(folder, ["stacks", "list.txt"]) as stage:
        (stage / "stacks").mkdir()
        (stage / "stacks" / "a").write_text("a")
        (stage / "list.txt").write_text("stacks/a")
        assert not (folder / "list.txt").exists()
    assert (folder / "stacks" / "a").read_text() == "a"
    assert sorted(path.name for path in folder.iterdir()) == ["list.txt", "stacks"]


def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        _fail_halfway(tmp_path)
    assert list(tmp_path.iterdir()) == []


def _fail_halfway(folder: Path) -> None:
    with staged(folder, ["a", "b"]) as stage:
        (stage / "a").write_text("a")
        raise ZeroDivisionError


def test_files_that_exist_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("precious")
    with (
        calling("downsample"),
        pytest.raises(OutputError, match="b: exists; name another"),
        staged(tmp_path, ["a", "b"]),
    ):
        pass
    assert (tmp_path / "b").read_text() == "precious"
