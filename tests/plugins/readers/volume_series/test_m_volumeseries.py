"""Particle poses of M, plain and sampled over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from tests.plugins.readers.refined_sets import assert_refined_by, some_corrections
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import read_star, write_table
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.plugins.readers import MVolumeseriesSpec, tomodrgn_identify_reader
from tomodrgn.plugins.readers.volume_series.m_volumeseries import MVolumeseries
from tomodrgn.testing import ReaderContract

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.particles.tables import ParticleSet

PLACES_A = np.array([[100.5, 20, 30], [110, 21, 31], [100.5, 20, 30]])
ANGLES_DEG = np.array([[10.0, 60, -20], [20, 70, 0], [30, 80, 10]])


def poses(*, n_samples: int | None) -> pd.DataFrame:
    """Three particles; with samples over time, each 1 A and 1 degree after the one before."""
    columns: dict[str, Any] = {}
    for kind, axes, first in (
        ("Coordinate", "XYZ", PLACES_A),
        ("Angle", ("Rot", "Tilt", "Psi"), ANGLES_DEG),
    ):
        for axis, values in zip(axes, first.T, strict=True):
            for sample in range(n_samples or 1):
                suffix = "" if n_samples is None else str(sample + 1)
                columns[f"wrp{kind}{axis}{suffix}"] = [f"{value + sample}" for value in values]
    columns |= {
        "wrpRandomSubset": ["1", "2", "1"],
        "wrpSourceName": ["TS_1.tomostar", "TS_1.tomostar", "TS_2.tomostar"],
        "wrpSourceHash": ["a1", "a1", "b2"],
    }
    return pd.DataFrame(columns, dtype=object)


def _read(folder: Path, table: pd.DataFrame, **options: Any) -> ParticleSet:
    write_table(folder / "poses.star", table)
    return MVolumeseries(
        MVolumeseriesSpec(path=folder / "poses.star", **options), ReaderContext()
    ).read()


class TestMVolumeseries(ReaderContract):
    def make_spec(self, folder: Path) -> MVolumeseriesSpec:
        write_table(folder / "poses.star", poses(n_samples=2))
        return MVolumeseriesSpec(path=folder / "poses.star")


@pytest.mark.parametrize("n_samples", [None, 1, 3, 11])
def test_poses_are_those_of_the_first_sample(n_samples: int | None, tmp_path: Path) -> None:
    table = poses(n_samples=n_samples)
    for columns in (table.columns, table.columns[::-1]):
        particles = _read(tmp_path, table[columns])
        assert tomodrgn_identify_reader(tmp_path / "poses.star") == "m_volumeseries"
        np.testing.assert_allclose(particles.position_a, PLACES_A)
        np.testing.assert_allclose(particles.orientation, matrices_from_euler(ANGLES_DEG))
        assert particles.half_set.tolist() == [1, 2, 1]
        assert particles.tomogram.tolist() == table["wrpSourceName"].tolist()


def test_coordinates_are_in_angstrom_unless_a_pixel_size_is_given(tmp_path: Path) -> None:
    assert _read(tmp_path, poses(n_samples=1)).pixel_size_a == 1.0
    particles = _read(tmp_path, poses(n_samples=1), pixel_size_a=2.0)
    np.testing.assert_allclose(particles.position_a, 2 * PLACES_A)


def test_tomograms_of_one_name_are_told_apart_by_their_hash(tmp_path: Path) -> None:
    table = poses(n_samples=1).assign(wrpSourceName="TS_1.tomostar")
    expected = ["TS_1.tomostar a1", "TS_1.tomostar a1", "TS_1.tomostar b2"]
    assert _read(tmp_path, table).tomogram.tolist() == expected
    assert set(_read(tmp_path, poses(n_samples=1)).tomogram) == {"TS_1.tomostar", "TS_2.tomostar"}


def test_particles_are_named_by_their_place(tmp_path: Path) -> None:
    table = poses(n_samples=None)
    names = _read(tmp_path, table).name
    assert names.tolist() == ["100.5 20.0 30.0", "110.0 21.0 31.0", "100.5 20.0 30.0"]
    assert _read(tmp_path, table[::-1]).name.tolist() == names[::-1].tolist()
    with pytest.raises(DataError, match="row 4 is a copy of row 1, equal in all columns"):
        _read(tmp_path, table.iloc[[0, 1, 2, 0]])


def test_poses_without_coordinates_are_refused(tmp_path: Path) -> None:
    table = poses(n_samples=2).drop(columns="wrpCoordinateY1")
    with pytest.raises(DataError, match=r"wrpCoordinateX, .* with or without a number"):
        _read(tmp_path, table)


@pytest.mark.parametrize("n_samples", [None, 1, 3])
def test_refined_poses_turn_and_move_all_samples(n_samples: int | None, tmp_path: Path) -> None:
    table = poses(n_samples=n_samples)
    particles = _read(tmp_path, table, pixel_size_a=1.5)
    spec = MVolumeseriesSpec(path=tmp_path / "poses.star", pixel_size_a=1.5)
    found = some_corrections(particles)
    out = tmp_path / "refined.star"
    MVolumeseries(spec, ReaderContext()).write_poses(particles, found, out)
    again = MVolumeseries(spec.model_copy(update={"path": out}), ReaderContext()).read()
    expected = found.of(particles)
    np.testing.assert_array_equal(again.name, particles.name)
    np.testing.assert_allclose(again.position_a, expected.position_a, atol=1e-5)
    np.testing.assert_allclose(again.orientation, expected.orientation, atol=1e-7)
    assert_refined_by(again, found)
    for number in range(2, (n_samples or 1) + 1):
        late = {f"wrp{kind}{number}": f"wrp{kind}" for kind in KINDS}
        star = read_star(out)
        rows = star.read(star.table_with("wrpSourceName"), [*late, "wrpSourceName"])
        later = _read(tmp_path, rows.rename(columns=late), pixel_size_a=1.5)
        stated = _read(tmp_path, table[[*late, "wrpSourceName"]].rename(columns=late),
                       pixel_size_a=1.5)  # fmt: skip
        moved = found.of(stated)
        np.testing.assert_allclose(later.position_a, moved.position_a, atol=1e-5)
        np.testing.assert_allclose(later.orientation, moved.orientation, atol=1e-7)


KINDS = ("CoordinateX", "CoordinateY", "CoordinateZ", "AngleRot", "AngleTilt", "AnglePsi")
