"""Image series of nextPYP, and optics groups as RELION 3.1 writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from tests.plugins.readers.handmade_sets import without_loops
from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import write_table
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.plugins.readers import (
    NextpypSpec,
    WarpParticleseriesSpec,
    tomodrgn_identify_reader,
)
from tomodrgn.plugins.readers.image_series.nextpyp import Nextpyp
from tomodrgn.plugins.readers.image_series.warp_particleseries import WarpParticleseries
from tomodrgn.testing import ReaderContract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tomodrgn.core.particles.tables import ParticleSet

    Write = Callable[..., Path]

OPTICS = {
    "rlnOpticsGroupName": "opticsGroup1",
    "rlnOpticsGroup": "1",
    "rlnMicrographOriginalPixelSize": "2.0",
    "rlnVoltage": "300.0",
    "rlnSphericalAberration": "2.7",
    "rlnAmplitudeContrast": "0.07",
    "rlnImagePixelSize": "4.0",
    "rlnImageSize": "8",
    "rlnImageDimensionality": "2",
}
"""Columns of the optics table of nextPYP, in its order, with values of the shared fixture."""


def _group(name: str, **changes: str) -> dict[str, str]:
    return OPTICS | {"rlnOpticsGroup": name, "rlnOpticsGroupName": f"opticsGroup{name}"} | changes


def _in_groups(series: pd.DataFrame) -> pd.DataFrame:
    """The series as RELION 3.1 would list it: what a group shares is not in its rows."""
    stated = [*OPTICS, "rlnMagnification", "rlnDetectorPixelSize"]
    return series.drop(columns=stated, errors="ignore").assign(rlnOpticsGroup="1")


def _of_nextpyp(series: pd.DataFrame) -> pd.DataFrame:
    """The series in the columns of nextPYP."""
    rows = _in_groups(series).rename(columns={"rlnGroupName": "rlnGroupNumber"})
    return rows.assign(
        rlnOriginXAngst="6.0",
        rlnOriginYAngst="-8.0",
        rlnLogLikeliContribution="0",
        rlnTiltIndex="1",
    )


@pytest.fixture
def write_groups(tmp_path: Path, stacks: list[Path]) -> Write:
    """Write optics groups and rows into one file beside the stacks; its path."""
    assert all(path.exists() for path in stacks)

    def write(rows: pd.DataFrame, *groups: dict[str, str]) -> Path:
        path = tmp_path / "particles.star"
        text = ""
        for block, table in (("optics", pd.DataFrame(groups or [OPTICS])), ("particles", rows)):
            write_table(path, table, block)
            text += path.read_text()
        path.write_text(text)
        return path

    return write


def _read(path: Path, **options: Any) -> ParticleSet:
    return Nextpyp(NextpypSpec(path=path, **options), ReaderContext()).read()


def _read_warp(path: Path, **options: Any) -> ParticleSet:
    return WarpParticleseries(WarpParticleseriesSpec(path=path, **options), ReaderContext()).read()


class TestNextpyp(ReaderContract):
    @pytest.fixture(autouse=True)
    def _series(self, series: pd.DataFrame, write_groups: Write) -> None:
        write_groups(_of_nextpyp(series))

    def make_spec(self, _folder: Path) -> NextpypSpec:
        return NextpypSpec(path=_folder / "particles.star")


def test_a_series_of_nextpyp_reads_as_that_of_warp(
    series: pd.DataFrame, write_groups: Write, write_series: Write
) -> None:
    particles = _read(write_groups(_of_nextpyp(series)))
    expected = _read_warp(write_series(series.assign(rlnOriginX="1.5", rlnOriginY="-2")))
    assert particles.optics == expected.optics
    for name in ("name", "tomogram", "counts", "image_name", "source_image", "half_set"):
        np.testing.assert_array_equal(getattr(particles, name), getattr(expected, name))
    ours, theirs = particles.images.convert(np.asarray), expected.images.convert(np.asarray)
    np.testing.assert_array_equal(ours.rotation, theirs.rotation)
    np.testing.assert_array_equal(ours.shift_px, theirs.shift_px)
    np.testing.assert_array_equal(ours.dose_e_per_a2, theirs.dose_e_per_a2)
    for field in ("voltage_kv", "cs_mm", "amplitude_contrast", "defocus_u_a", "phase_shift_deg"):
        np.testing.assert_array_equal(getattr(ours.ctf, field), getattr(theirs.ctf, field))


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"rlnGroupName": "00_01"},
        {
            "tomodrgnTotalDose": "0",
            "tomodrgnPseudoStageTilt": "0",
            "rlnOriginX": "1.5",
            "rlnOriginY": "-2.0",
            "UnfilteredParticleInds": "0",
            "tomodrgnRandomSubset": "1",
        },
    ],
    ids=["plain", "newer", "preprocessed"],
)
def test_every_version_is_identified_and_read(
    extra: dict[str, str], series: pd.DataFrame, write_groups: Write
) -> None:
    path = write_groups(_of_nextpyp(series).assign(**extra))
    assert tomodrgn_identify_reader(path) == "nextpyp"
    particles = _read(path)
    assert particles.name.tolist() == ["001_000001", "001_000007", "002_01"]
    assert particles.images.shift_px.tolist() == [[1.5, -2.0]] * 6


def test_warp_columns_with_optics_groups_are_a_warp_series(
    series: pd.DataFrame, write_groups: Write, write_series: Write
) -> None:
    path = write_groups(_in_groups(series))
    assert tomodrgn_identify_reader(path) == "warp_particleseries"
    particles, expected = _read_warp(path), _read_warp(write_series(series))
    assert particles.pixel_size_a == expected.pixel_size_a
    np.testing.assert_array_equal(particles.images.voltage_kv, expected.images.voltage_kv)


def test_columns_of_rows_come_before_those_of_their_group(
    series: pd.DataFrame, write_groups: Write
) -> None:
    rows = _of_nextpyp(series).assign(rlnVoltage="200")
    assert set(_read(write_groups(rows)).images.voltage_kv) == {200}


def test_images_follow_their_group_in_any_order(series: pd.DataFrame, write_groups: Write) -> None:
    rows = _of_nextpyp(series)
    rows["rlnOpticsGroup"] = ["2", "1", "2", "1", "1", "1"]
    groups = [
        _group("1"),
        _group("2", rlnVoltage="200", rlnCtfDataAreCtfPremultiplied="1"),
        _group("3", rlnImagePixelSize="9"),
    ]
    groups[0]["rlnCtfDataAreCtfPremultiplied"] = groups[2]["rlnCtfDataAreCtfPremultiplied"] = "0"
    for listed in (groups, groups[::-1]):
        particles = _read(write_groups(rows, *listed))
        assert [group.name for group in particles.optics] == ["opticsGroup1", "opticsGroup2"]
        assert [group.state.ctf_premultiplied for group in particles.optics] == [False, True]
        is_second = np.isin(particles.source_image, [0, 2])
        np.testing.assert_array_equal(particles.images.optics, is_second)
        np.testing.assert_array_equal(particles.images.voltage_kv, np.where(is_second, 200, 300))


def test_row_order_changes_no_image(series: pd.DataFrame, write_groups: Write) -> None:
    def by_name(particles: ParticleSet) -> dict[str, tuple[object, ...]]:
        images, starts = particles.images, particles.starts[particles.particle_of_image]
        return {
            name: (
                particles.name[particles.particle_of_image[row]],
                row - starts[row],
                images.rotation[row].tolist(),
                images.ctf.defocus_u_a[row],
                particles.optics[images.optics[row]].name,
            )
            for row, name in enumerate(particles.image_name)
        }

    rows = _of_nextpyp(series).assign(rlnOpticsGroup=["2", "1", "2", "1", "1", "1"])
    straight = by_name(_read(write_groups(rows, _group("1"), _group("2"))))
    rng = np.random.default_rng(0)
    for _ in range(5):
        shuffled = rows[rng.permutation(rows.columns)].iloc[rng.permutation(len(rows))]
        assert by_name(_read(write_groups(shuffled, _group("2"), _group("1")))) == straight


@pytest.mark.parametrize("column", ["rlnImagePixelSize", "rlnImageSize"])
def test_groups_of_different_sizes_are_refused(
    column: str, series: pd.DataFrame, write_groups: Write
) -> None:
    rows = _of_nextpyp(series)
    rows.loc[3, "rlnOpticsGroup"] = "2"
    path = write_groups(rows, _group("1"), _group("2", **{column: "16"}))
    match = rf"optics groups differ in {column} \(1: ., 2: 16\); .* split the file by optics group"
    with pytest.raises(DataError, match=match):
        _read(path)


def test_a_group_that_is_not_listed_is_refused(series: pd.DataFrame, write_groups: Write) -> None:
    rows = _of_nextpyp(series)
    rows.loc[3, "rlnOpticsGroup"] = "7"
    with pytest.raises(DataError, match=r"row 4 is of the optics group '7', which is not among"):
        _read(write_groups(rows))
    with pytest.raises(DataError, match="has the optics group 1 twice, with the same"):
        _read(write_groups(_of_nextpyp(series), OPTICS, OPTICS))


def test_one_group_may_be_written_without_a_loop(
    series: pd.DataFrame, write_groups: Write, tmp_path: Path
) -> None:
    group = _group("1", rlnCtfDataAreCtfPremultiplied="1")
    path = write_groups(_of_nextpyp(series), group)
    looped, text = _read(path), path.read_text()
    path.write_text(without_loops(text))
    assert "_rlnOpticsGroup\t1\n" in path.read_text()
    found = _read(path)
    assert found.optics == looped.optics
    assert found.optics[0].state.ctf_premultiplied
    reader = Nextpyp(NextpypSpec(path=path), ReaderContext(needs_images=False))
    reader.write_selection(np.array([0, 1]), tmp_path / "some.star")
    head = path.read_text().partition("data_particles")[0]
    assert (tmp_path / "some.star").read_text().startswith(head)


def test_missing_columns_are_named(series: pd.DataFrame, write_groups: Write) -> None:
    path = write_groups(_of_nextpyp(series).drop(columns="rlnAnglePsi"))
    with pytest.raises(DataError, match=r"rlnAnglePsi is missing; .* rlnGroupNumber, rlnAngleRot"):
        _read(path)
    groups = {name: value for name, value in OPTICS.items() if name != "rlnVoltage"}
    with pytest.raises(DataError, match="rlnVoltage missing beside rlnDefocusU"):
        _read(write_groups(_of_nextpyp(series), groups))
