"""Tomograms by what tilt images and particles are called."""

from __future__ import annotations

import pytest

from tomodrgn.plugins.readers.image_series.tilt_names import (
    name_before_number,
    tomogram_names,
    without_numbers,
)

CONVENTIONS = {
    "Warp 1": (["ts1_20.mrc", "ts1_21.mrc", "ts1_22.mrc"], "ts1"),
    "one number runs on": (["ts1_10.mrc", "ts1_11.mrc", "ts1_19.mrc"], "ts1"),
    "slices": (["6@tomo.mrcs", "7@tomo.mrcs"], "tomo"),
    "slices in a folder": (["6@stacks/TS_3.st", "07@stacks/TS_3.st"], "TS_3"),
    "order and angle": (["TS_01_000_0.0.mrc", "TS_01_001_-3.0.mrc", "TS_01_010_12.0.mrc"], "TS_01"),
    "angles": (["t_-51_0.mrc", "t_2_9.mrc", "t_-48_1.mrc"], "t"),
    "frames": (["f/Position_1_001_3.00_x.eer", "f/Position_1_002_-3.00_y.eer"], "Position_1"),
    "order first": (["000_TS_01_0.0.mrc", "001_TS_01_3.0.mrc", "012_TS_01_9.0.mrc"], "TS_01"),
    "folders": (["M/ts2/1.mrc", "M/ts2/2.mrc", "M/ts2/30.mrc"], "M/ts2"),
    "from here": (["./ts_4_1.mrc", "./ts_4_2.mrc"], "ts_4"),
    "tomostar": (["1@TS_1.tomostar", "2@TS_1.tomostar"], "TS_1"),
    "brackets": (["TS_7[-3.00].mrc", "TS_7[12.00].mrc"], "TS_7"),
    "only numbers": (["1", "2", "35"], ""),
}


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_tomogram_is_what_tilt_names_share(convention: str) -> None:
    names, expected = CONVENTIONS[convention]
    assert tomogram_names([names], [["000001", "000002"]]) == [expected]
    assert tomogram_names([names[::-1]], [["000001"]]) == [expected]


def test_folders_count_only_where_they_tell_tomograms_apart() -> None:
    apart = [["a/t_1.mrc", "a/t_2.mrc"], ["b/t_1.mrc", "b/t_2.mrc"]]
    same = [["f/ts1_1.mrc", "f/ts1_2.mrc"], ["f/ts2_1.mrc", "f/ts2_2.mrc"]]
    particles = [["1"], ["2"]]
    assert tomogram_names(apart, particles) == ["a/t", "b/t"]
    assert tomogram_names(same, particles) == ["ts1", "ts2"]


def test_particles_of_disjoint_tilts_of_one_tomogram_keep_its_name() -> None:
    names = tomogram_names([["ts1_1.mrc", "ts1_2.mrc"], ["ts1_5.mrc", "ts1_6.mrc"]], [["1"], ["2"]])
    assert names == ["ts1", "ts1"]


def test_particles_named_as_relion_does_name_the_tomogram() -> None:
    tilts = [["M/t_2_9.mrc", "M/t_14_9.mrc"], ["N/t_2_9.mrc", "N/t_14_9.mrc"]]
    assert tomogram_names(tilts, [["t1/1", "t1/2"], ["t2/1"]]) == ["t1", "t2"]


def test_particles_tell_tomograms_apart_where_numbers_run_together() -> None:
    tilts = [["x0100.mrc", "x0101.mrc"], ["x0200.mrc", "x0201.mrc"]]
    assert tomogram_names(tilts, [["x01_0001", "x01_0002"], ["x02_0001"]]) == ["x01", "x02"]


def test_a_lone_tilt_image_belongs_to_a_tomogram_that_others_show() -> None:
    tilts = [["TS_01_000_0.0.mrc", "TS_01_001_3.0.mrc"], ["TS_01_002_-3.0.mrc"]]
    assert tomogram_names(tilts, [["1"], ["2"]]) == ["TS_01", "TS_01"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("ts1_0000000", "ts1"), ("t1/12", "t1"), ("001_000001", "001"), ("000012", ""), ("a", ""),
     ("TS_01.tomostar_7", "TS_01.tomostar"), ("", "")],
)  # fmt: skip
def test_the_last_number_of_a_name_is_cut_off(name: str, expected: str) -> None:
    assert name_before_number(name) == expected


def test_numbers_are_cut_off_behind_slices_and_endings() -> None:
    assert without_numbers("7@f/TS_01_000_0.0.mrc", 3) == "f/TS_01"
    assert without_numbers("f/TS_01_000.mrc.tomostar", 1) == "f/TS_01"
    assert without_numbers("1.mrc", 5) == ""
