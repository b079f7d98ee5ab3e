"""What the micrograph column names, and which particle each row belongs to."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.plugins.readers import WarpParticleseriesSpec
from tomodrgn.plugins.readers.image_series.row_names import name_rows
from tomodrgn.plugins.readers.image_series.warp_particleseries import WarpParticleseries

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[[pd.DataFrame], Path]

PATH = Path("p.star")


def _rows(
    tomograms: dict[str, list[str]], n_tilts: int, tilt: str = "{tomogram}_{tilt}.mrc"
) -> pd.DataFrame:
    """Rows of particles of tomograms, one per tilt image, in the columns that are looked at."""
    names = [(t, p, k) for t, group in tomograms.items() for p in group for k in range(n_tilts)]
    return pd.DataFrame(
        {
            "rlnMicrographName": [tilt.format(tomogram=t, tilt=20 + k) for t, _, k in names],
            "rlnGroupName": [p for _, p, _ in names],
            "rlnImageName": [f"{row + 1}@{t}.mrcs" for row, (t, _, _) in enumerate(names)],
            "rlnCtfBfactor": [f"{-13.0 * (k + 1):.2f}" for _, _, k in names],
            "rlnCtfScalefactor": [f"{np.cos(0.05 * ((k + 1) // 2)):.4f}" for _, _, k in names],
        },
        dtype=object,
    )


def _pairs(table: pd.DataFrame) -> list[tuple[str, str]]:
    named = name_rows(table, "rlnGroupName", PATH)
    return list(dict.fromkeys(zip(named.tomogram, named.particle, strict=True)))


def _joined(*tables: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)


TS = {"ts1": ["ts1_000", "ts1_001"], "ts2": ["ts2_000"]}
EXPECTED = [("ts1", "ts1_000"), ("ts1", "ts1_001"), ("ts2", "ts2_000")]


def test_a_micrograph_for_each_tilt_image_splits_no_particle(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        assert _pairs(_rows(TS, 39)) == EXPECTED
    assert (
        "p.star: rlnMicrographName names tilt images: 3 particles of 39 tilt images; tomogram of "
        "ts1_000 is taken to be ts1" in caplog.text
    )


def test_a_micrograph_of_many_tilts_is_the_tomogram(caplog: pytest.LogCaptureFixture) -> None:
    shared = {"a.tomostar": ["1", "2"], "b.tomostar": ["1", "3"]}
    with caplog.at_level(logging.INFO):
        pairs = _pairs(_rows(shared, 5, "{tomogram}"))
    assert pairs == [(t, p) for t, group in shared.items() for p in group]
    assert "names tomograms: 3 names of particles stand for 4 particles in 2" in caplog.text


def test_a_micrograph_of_one_particle_name_each_stays_as_it_is() -> None:
    table = _rows(TS, 4, "{tomogram}.tomostar")
    assert _pairs(table) == [(f"{t}.tomostar", p) for t, group in TS.items() for p in group]


def test_names_that_repeat_in_tomograms_of_tilt_images_are_split() -> None:
    table = _rows({"TS_01": ["1", "2"], "TS_02": ["1", "2"]}, 7, "f/{tomogram}_{tilt}_0.0.mrc")
    assert _pairs(table) == [(t, p) for t in ("TS_01", "TS_02") for p in ("1", "2")]


def test_order_of_rows_changes_no_name() -> None:
    table = _rows(TS, 9)
    shuffled = table.sample(frac=1, random_state=1)
    assert sorted(_pairs(shuffled)) == sorted(EXPECTED)


def test_particles_that_lack_tilts_count_with_the_others() -> None:
    table = _rows(TS, 9)
    keeps = np.random.default_rng(2).uniform(size=len(table)) < 0.5
    assert _pairs(table[keeps]) == EXPECTED


def test_a_copied_row_does_not_make_its_tilt_image_a_tomogram() -> None:
    table = _rows(TS, 9)
    copied = _joined(table, table[:3], table[4:5].assign(rlnCtfBfactor="-1"))
    assert _pairs(copied) == EXPECTED


def test_two_sessions_of_equal_names_leave_tilt_images_what_they_are() -> None:
    table = _rows(TS, 9)
    elsewhere = table["rlnImageName"].str.replace("@", "@b/")
    other = table.assign(rlnImageName=elsewhere, rlnCtfBfactor="-7.5")
    assert _pairs(_joined(table, other)) == EXPECTED


def test_kinds_of_micrographs_in_one_file_are_told_apart_by_name_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tomograms = {"a.tomostar": ["1", "2"], "b.tomostar": ["1"]}
    mixed = _joined(_rows(TS, 9), _rows(tomograms, 9, "{tomogram}"))
    with caplog.at_level(logging.WARNING):
        pairs = _pairs(mixed)
    assert pairs == [*EXPECTED, ("a.tomostar", "1"), ("a.tomostar", "2"), ("b.tomostar", "1")]
    assert "names tilt images for 3 names of particles and tomograms for 2, such as 1 of a" in (
        caplog.text
    )


def test_doses_that_tell_nothing_split_no_particle() -> None:
    table = _rows(TS, 9).assign(rlnCtfBfactor="0")
    assert _pairs(table) == EXPECTED
    assert _pairs(table.assign(rlnCtfScalefactor="1")) == EXPECTED


RUNNING = ["img{n}.mrc", "img{tomogram}{k:02d}.mrc", "{k:02d}_img{tomogram}.mrc", "{n}.mrc"]


def _in_runs(tilt: str, names: dict[int, list[str]], *, images: str = "s.mrcs") -> pd.DataFrame:
    """Rows of tomograms that are called by a number, which runs on in their nine tilt images."""
    tables = []
    for tomogram, group in names.items():
        table = _rows({str(tomogram): group}, 9)
        k = table["rlnMicrographName"].str.extract(r"_(\d+)\.mrc")[0].astype(int) - 20
        called = [tilt.format(tomogram=tomogram, n=tomogram + n, k=n) for n in k]
        stack = table["rlnImageName"].str.replace(r"@.*", f"@{images}", regex=True)
        tables.append(table.assign(rlnMicrographName=called, rlnImageName=stack))
    return _joined(*tables)


@pytest.mark.parametrize("tilt", RUNNING)
@pytest.mark.parametrize("second", [200, 109])
def test_tomograms_that_only_a_number_tells_apart_are_two(tilt: str, second: int) -> None:
    names = {100: ["1", "2"], second: ["3"]}
    pairs = _pairs(_in_runs(tilt, names))
    assert [particle for _, particle in pairs] == ["1", "2", "3"]
    assert pairs[0][0] == pairs[1][0] != pairs[2][0]


@pytest.mark.parametrize("tilt", RUNNING)
@pytest.mark.parametrize("second", [200, 109])
def test_equal_names_in_tomograms_that_only_a_number_tells_apart_are_two(
    tilt: str, second: int
) -> None:
    table = _in_runs(tilt, {100: ["1", "2"], second: ["1"]})
    named = name_rows(table, "rlnGroupName", PATH)
    assert np.bincount(named.rank).tolist() == [9, 9, 9]
    assert len(set(_pairs(table))) == 3


def test_equal_names_whose_tilts_lack_some_are_told_apart_by_what_jumps() -> None:
    table = _in_runs("img{n}.mrc", {100: ["1", "2"], 200: ["1", "2"], 341: ["1", "2"]})
    lacks = table["rlnMicrographName"].isin(["img108.mrc", "img103.mrc", "img200.mrc"])
    named = name_rows(table[~lacks], "rlnGroupName", PATH)
    assert np.bincount(named.rank).tolist() == [7, 7, 8, 8, 9, 9]


def test_equal_names_whose_tilts_tell_nothing_are_told_apart_by_their_stacks() -> None:
    tilt = "{n}"
    tables = [
        _in_runs(tilt, {first: ["1", "2"]}, images=f"{first}.mrcs").iloc[lacks:]
        for first, lacks in ((100, 1), (109, 2))
    ]
    assert len(set(_pairs(_joined(*tables)))) == 4


def test_doses_of_tomograms_need_not_agree_to_tell_equal_names_apart() -> None:
    table = _rows({"TS_01": ["1", "2"], "TS_02": ["1", "2"]}, 9)
    is_second = table["rlnMicrographName"].str.startswith("TS_02")
    other = [f"{-11.0 * (k + 1):.2f}" for k in range(9)] * 2
    table.loc[is_second, "rlnCtfBfactor"] = other
    assert _pairs(table) == [(t, p) for t in ("TS_01", "TS_02") for p in ("1", "2")]


@pytest.mark.parametrize("particles", [["1", "2"], ["3"]])
def test_stages_need_not_reach_the_same_hundredth_of_a_degree_in_two_tomograms(
    particles: list[str],
) -> None:
    table = _in_runs("img{n}.mrc", {100: ["1", "2"], 200: particles})
    is_second = table["rlnMicrographName"].str.startswith("img2")
    jitter_deg = np.random.default_rng(3).normal(0, 0.02, len(table))
    tilt_deg = np.rad2deg(np.arccos(table["rlnCtfScalefactor"].astype(float))) + jitter_deg
    table.loc[is_second, "rlnCtfScalefactor"] = np.cos(np.deg2rad(tilt_deg)).map("{:.6f}".format)
    pairs = _pairs(table)
    assert len(pairs) == 2 + len(particles)
    assert {tomogram for tomogram, _ in pairs} == {"img100", "img200"}


def test_images_that_are_named_each_by_itself_are_no_tomograms() -> None:
    table = _rows({"ts1": ["1", "2"], "ts2": ["3"]}, 9)
    counted = [f"img{row:06d}.mrc" for row in range(len(table))]
    assert _pairs(table.assign(rlnMicrographName=counted)) == [("img", p) for p in "123"]


def test_tilt_names_without_letters_leave_the_name_of_the_particle_to_tell() -> None:
    assert _pairs(_rows(TS, 9, "{tilt}")) == EXPECTED


@pytest.fixture
def per_tilt(series: pd.DataFrame) -> pd.DataFrame:
    """The shared series as Warp 1 exports it: a micrograph for each tilt image."""
    tilts = ["ts1_22.mrc", "ts1_20.mrc", "ts1_21.mrc", "ts1_20.mrc", "ts1_21.mrc", "ts2_20.mrc"]
    return series.assign(rlnMicrographName=tilts)


def test_reading_filtering_and_writing_agree_on_the_particle(
    per_tilt: pd.DataFrame, write_series: Write, tmp_path: Path
) -> None:
    path = write_series(per_tilt)
    reader = WarpParticleseries(WarpParticleseriesSpec(path=path), ReaderContext())
    particles, source = reader.read(), reader.source_rows()
    assert particles.counts.tolist() == [3, 2, 1]
    assert particles.tomogram.tolist()[:2] == ["ts1", "ts1"]
    assert source.particle.tolist() == [0, 0, 0, 1, 1, 2]
    assert source.tomogram.tolist() == particles.tomogram.tolist()
    rows = np.flatnonzero(source.particle == 0)
    reader.write_selection(rows, tmp_path / "first.star")
    spec = WarpParticleseriesSpec(path=tmp_path / "first.star")
    again = WarpParticleseries(spec, ReaderContext()).read()
    assert (again.counts.tolist(), again.tomogram.tolist()) == ([3], ["ts1"])
