from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest

from tomodrgn.core.figures.style import PALETTE, color_of, picture


def test_drawing_leaves_the_settings_of_the_user_alone(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    with picture(tmp_path / "a.png", width_in=1, height_in=1):
        assert dict(mpl.rcParams) != before
    assert dict(mpl.rcParams) == before


def test_a_failed_picture_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), picture(path, width_in=1, height_in=1):
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_colors_are_taken_in_turn() -> None:
    assert len(set(PALETTE)) == len(PALETTE)
    assert color_of(len(PALETTE) + 2) == PALETTE[2]
