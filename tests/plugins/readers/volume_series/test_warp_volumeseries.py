"""Volume series of Warp 1: particles with a place and no tilt images."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from tests.plugins.readers.refined_sets import (
    assert_other_columns_stay,
    assert_refined_by,
    some_corrections,
)
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import write_table
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.plugins.readers import WarpVolumeseriesSpec, tomodrgn_identify_reader
from tomodrgn.plugins.readers.volume_series.warp_volumeseries import WarpVolumeseries
from tomodrgn.testing import ReaderContract

if TYPE_CHECKING:
    from tomodrgn.core.particles.tables import ParticleSet

TOMOGRAMS = ["TS_1.tomostar", "TS_10.tomostar", "TS_1.tomostar"]


def volumes() -> pd.DataFrame:
    """Three particles as Warp 1 exports them; change the table and write it."""
    return pd.DataFrame(
        {
            "rlnMagnification": "10000.0",
            "rlnDetectorPixelSize": "4.0",
            "rlnCoordinateX": ["10.0", "20.5", "30.0"],
            "rlnCoordinateY": ["1.0", "2.0", "3.0"],
            "rlnCoordinateZ": ["5.0", "6.0", "7.0"],
            "rlnAngleRot": ["10.0", "20.0", "30.0"],
            "rlnAngleTilt": "60.0",
            "rlnAnglePsi": "-20.0",
            "rlnMicrographName": TOMOGRAMS,
            "rlnCtfMaxResolution": "10",
            "rlnImageName": [f"subtomo/TS_{row}.mrc" for row in range(3)],
            "rlnCtfImage": [f"subtomo/TS_{row}_ctf.mrc" for row in range(3)],
            "rlnPixelSize": "4.0",
            "rlnVoltage": "300.0",
            "rlnSphericalAberration": "2.7",
        },
        dtype=object,
    )


def _read(folder: Path, table: pd.DataFrame, **options: Any) -> ParticleSet:
    write_table(folder / "volumes.star", table)
    spec = WarpVolumeseriesSpec(path=folder / "volumes.star", **options)
    return WarpVolumeseries(spec, ReaderContext()).read()


class TestWarpVolumeseries(ReaderContract):
    def make_spec(self, folder: Path) -> WarpVolumeseriesSpec:
        write_table(folder / "volumes.star", volumes())
        return WarpVolumeseriesSpec(path=folder / "volumes.star")


def test_places_are_in_angstrom_and_poses_are_those_of_the_row(tmp_path: Path) -> None:
    particles = _read(tmp_path, volumes())
    assert tomodrgn_identify_reader(tmp_path / "volumes.star") == "warp_volumeseries"
    assert particles.position_a.tolist() == [[40, 4, 20], [82, 8, 24], [120, 12, 28]]
    expected = matrices_from_euler([[10, 60, -20], [20, 60, -20], [30, 60, -20]])
    np.testing.assert_allclose(particles.orientation, expected)
    assert particles.tomogram.tolist() == TOMOGRAMS
    assert particles.name.tolist() == volumes()["rlnImageName"].tolist()
    assert particles.source_particle.tolist() == [0, 1, 2]
    assert (particles.n_images, particles.rows_read, particles.box_size_px) == (0, 3, 0)
    assert particles.counts.tolist() == [0, 0, 0]


def test_origin_shifts_are_subtracted(tmp_path: Path) -> None:
    in_px = {"rlnOriginX": "1", "rlnOriginY": "-2", "rlnOriginZ": "0.5"}
    in_a = {"rlnOriginXAngst": "4", "rlnOriginYAngst": "-8", "rlnOriginZAngst": "2"}
    for origins in (in_px, in_a):
        particles = _read(tmp_path, volumes().assign(**origins))
        assert particles.position_a[0].tolist() == [36, 12, 18]
    particles = _read(tmp_path, volumes().assign(rlnOriginX="1", rlnOriginY="-2"))
    assert particles.position_a[0].tolist() == [40, 4, 20]


def test_the_pixel_size_stated_as_such_comes_before_that_of_the_detector(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        particles = _read(tmp_path, volumes().assign(rlnPixelSize="2.0"))
    assert particles.position_a[0].tolist() == [20, 2, 10]
    assert "rlnPixelSize is 2 A/px, the detector has 4 A/px" in caplog.text
    assert _read(tmp_path, volumes(), pixel_size_a=1.0).position_a[0].tolist() == [10, 1, 5]
    table = volumes().drop(columns="rlnPixelSize").assign(rlnMagnification="20000")
    assert _read(tmp_path, table).pixel_size_a == 2.0


def test_particles_are_named_by_what_is_unique_and_never_by_their_row(tmp_path: Path) -> None:
    named = volumes().assign(rlnGroupName=["01", "01", "02"])
    assert _read(tmp_path, named).name.tolist() == ["01", "01", "02"]
    named["rlnGroupName"] = "01"
    assert _read(tmp_path, named).name[0] == "subtomo/TS_0.mrc"
    bare = volumes().drop(columns="rlnImageName")
    assert _read(tmp_path, bare).name.tolist() == ["10.0 1.0 5.0", "20.5 2.0 6.0", "30.0 3.0 7.0"]
    expanded = bare.assign(rlnCoordinateX="1", rlnCoordinateY="2", rlnCoordinateZ="3")
    assert _read(tmp_path, expanded).name[2] == "1 2 3 30.0 60.0 -20.0"


def test_particles_that_are_twice_there_are_refused(tmp_path: Path) -> None:
    table = volumes().iloc[[0, 1, 2, 0]]
    match = r"row 4 is a copy of row 1, equal in all columns \(1 such row\); remove"
    with pytest.raises(DataError, match=match):
        _read(tmp_path, table)


def test_half_sets_are_kept(tmp_path: Path) -> None:
    assert _read(tmp_path, volumes()).half_set is None
    particles = _read(tmp_path, volumes().assign(rlnRandomSubset=["2", "1", "0"]))
    assert particles.half_set.tolist() == [2, 1, 0]


def test_row_order_changes_no_particle(tmp_path: Path) -> None:
    def by_name(particles: ParticleSet) -> dict[tuple[str, str], list[list[float]]]:
        keys = zip(particles.tomogram, particles.name, strict=True)
        poses = zip(particles.position_a.tolist(), particles.orientation.tolist(), strict=True)
        return dict(zip(keys, map(list, poses), strict=True))

    table = volumes().drop(columns="rlnImageName")
    shuffled = table[table.columns[::-1]].iloc[[2, 0, 1]]
    assert by_name(_read(tmp_path, shuffled)) == by_name(_read(tmp_path, table))


FAULTS = {
    "coordinate": (
        lambda t: t.assign(rlnCoordinateY="x"),
        "rlnCoordinateY, row 1: 'x' is not a finite",
    ),
    "no coordinate": (lambda t: t.drop(columns="rlnCoordinateX"), "rlnCoordinateX missing; a vol"),
    "no rows": (lambda t: t[:0], "has no rows"),
    "no pixel size": (
        lambda t: t.drop(columns=["rlnPixelSize", "rlnDetectorPixelSize"]),
        "states no pixel size .* --Apix",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_rows_are_refused_in_one_line(fault: str, tmp_path: Path) -> None:
    change, match = FAULTS[fault]
    with pytest.raises(DataError, match=match) as caught:
        _read(tmp_path, change(volumes()))
    assert "\n" not in str(caught.value)


def test_there_are_no_images_to_load(tmp_path: Path) -> None:
    write_table(tmp_path / "volumes.star", volumes())
    reader = WarpVolumeseries(WarpVolumeseriesSpec(path=tmp_path / "volumes.star"), ReaderContext())
    with pytest.raises(DataError, match="no tilt images"):
        reader.load_images(np.array([0]))


@pytest.mark.skipif("TOMODRGN_TEST_DATA" not in os.environ, reason="TOMODRGN_TEST_DATA is not set")
def test_the_simulated_ribosomes_are_read() -> None:
    path = Path(os.environ["TOMODRGN_TEST_DATA"]) / "10076" / "10076_both_32_sim_vols.star"
    assert tomodrgn_identify_reader(path) == "warp_volumeseries"
    particles = WarpVolumeseries(WarpVolumeseriesSpec(path=path), ReaderContext()).read()
    assert particles.n_particles == 144
    assert set(particles.tomogram) == {"both.tomostar"}
    assert particles.name[:2].tolist() == ["000_000000", "000_000001"]
    np.testing.assert_allclose(particles.position_a[0, 0], 404.7058565965978 * 13.1)


@pytest.mark.parametrize(
    "origins",
    [
        {},
        {f"rlnOrigin{axis}": "1.5" for axis in "XYZ"},
        {f"rlnOrigin{axis}Angst": "3.0" for axis in "XYZ"},
    ],
)
def test_refined_poses_are_in_angles_and_origins(origins: dict[str, str], tmp_path: Path) -> None:
    particles = _read(tmp_path, volumes().assign(**origins))
    spec = WarpVolumeseriesSpec(path=tmp_path / "volumes.star")
    found = some_corrections(particles)
    out = tmp_path / "refined.star"
    WarpVolumeseries(spec, ReaderContext()).write_poses(particles, found, out)
    again = WarpVolumeseries(WarpVolumeseriesSpec(path=out), ReaderContext()).read()
    expected = found.of(particles)
    np.testing.assert_array_equal(again.name, particles.name)
    np.testing.assert_allclose(again.position_a, expected.position_a, atol=1e-5)
    np.testing.assert_allclose(again.orientation, expected.orientation, atol=1e-7)
    assert_refined_by(again, found)
    assert_other_columns_stay(
        spec.path, out, ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi", *(origins or ANGSTROM))
    )


ANGSTROM = ("rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst")
