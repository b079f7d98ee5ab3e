"""Numbers that no microscope records, in files of each kind."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from tests.plugins.readers.handmade_sets import HandmadeSet, warptools_set
from tomodrgn.core.errors import DataError
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.plugins.readers import OptimisationSetSpec, WarpParticleseriesSpec
from tomodrgn.plugins.readers.image_series.warp_particleseries import WarpParticleseries
from tomodrgn.plugins.readers.optimisation_set.reader import OptimisationSet
from tomodrgn.plugins.readers.upstream_files.bounds import check_shifts, the_one_pixel_size_a

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.particles.tables import ParticleSet

    Write = Callable[[pd.DataFrame], Path]


def _read(path: Path, **options: Any) -> ParticleSet:
    return WarpParticleseries(WarpParticleseriesSpec(path=path, **options), ReaderContext()).read()


def _read_set(written: HandmadeSet, folder: Path, **options: Any) -> ParticleSet:
    spec = OptimisationSetSpec(path=written.write(folder), **options)
    return OptimisationSet(spec, ReaderContext()).read()


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("rlnVoltage", "300000", "row 3: 300000 is outside of 50 to 1500 kV.* V, divide by 1000"),
        ("rlnSphericalAberration", "2700", "row 3: 2700 .* micrometers, divide by 1000"),
        ("rlnAmplitudeContrast", "7", "row 3: 7 .* percent, divide by 100"),
        ("rlnDefocusU", "3e6", "row 3: 3e6 is outside of -1e\\+06 to 1e\\+06 A"),
        ("rlnPhaseShift", "9000", "row 3: 9000 is outside of -360 to 360 degrees"),
        ("rlnAnglePsi", "1e6", "row 3: 1e6 is outside of -3600 to 3600 degrees"),
        ("rlnCtfBfactor", "-48000", "row 3: -48000 is -4 times a dose outside .* e/nm"),
        ("rlnDetectorPixelSize", "1.2e-9", "of row 3, 1.2e-09 A/px, .* in m, .* --Apix"),
    ],
)
def test_a_number_of_an_image_series_in_another_unit_is_refused(
    column: str, value: str, said: str, series: pd.DataFrame, write_series: Write
) -> None:
    series.loc[2, column] = value
    with pytest.raises(DataError, match=said):
        _read(write_series(series))


def _put(name: str, column: str, value: str) -> Callable[[HandmadeSet], None]:
    def change(written: HandmadeSet) -> None:
        table = getattr(written, name)
        (table["TS_1.tomostar"] if name == "tilts" else table)[column] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_put("optics", "rlnVoltage", "300000"), "rlnVoltage, row 1: .* in V, divide by 1000"),
        (_put("optics", "rlnAmplitudeContrast", "7"), "rlnAmplitudeContrast, row 1: .* percent"),
        (_put("tomograms", "rlnSphericalAberration", "2700"), "Aberration, row 1: .* micrometers"),
        (_put("tomograms", "rlnTomoTiltSeriesPixelSize", "0"), "PixelSize, row 1: 0 is outside"),
        (_put("tilts", "rlnMicrographPreExposure", "9000"), "TS_1.*PreExposure.* e/nm"),
        (_put("tilts", "rlnPhaseShift", "500"), "TS_1.*rlnPhaseShift, row 1: 500 is outside"),
        (_put("tilts", "rlnTomoNominalStageTiltAngle", "300"), "TS_1.*Angle, row 1: 300 is out"),
        (_put("particles", "rlnPhaseShift", "1.57"), "rlnPhaseShift, row 1: 1.57, .* radians"),
        (_put("particles", "rlnAngleTilt", "1e5"), "rlnAngleTilt, row 1: 1e5 is outside"),
        (_put("tilts", "rlnDefocusV", "0"), "rlnDefocusV is 0 beside rlnDefocusU in row 1 of tomo"),
    ],
)
def test_a_number_of_a_set_in_another_unit_is_refused(
    change: Callable[[HandmadeSet], None], said: str, tmp_path: Path
) -> None:
    written = warptools_set()
    change(written)
    with pytest.raises(DataError, match=said):
        _read_set(written, tmp_path)


def test_numbers_that_are_other_bytes_are_refused(
    series: pd.DataFrame, write_series: Write
) -> None:
    series["rlnOriginX"], series["rlnOriginY"] = "1.4e-45", "0.0"
    with pytest.raises(DataError, match=r"rlnOriginX and rlnOriginY, row 1: 1.4e-45, .* lost"):
        _read(write_series(series))
    series.loc[0, "rlnOriginX"] = "0.5"  # the other numbers are zeros, then
    assert _read(write_series(series)).images.shift_px.max() == 0.5


def test_shifts_in_other_units_are_refused_and_single_ones_said(
    caplog: pytest.LogCaptureFixture, series: pd.DataFrame, write_series: Write
) -> None:
    series["rlnOriginX"], series["rlnOriginY"] = "1.0", "30.0"
    with pytest.raises(DataError, match=r"6 of 6 shifts .* box of 8 px .*30 px.* in A"):
        _read(write_series(series))
    names = np.array([f"{row}@s" for row in range(200)], dtype=object)
    shifts = np.zeros((200, 2), np.float32)
    shifts[7] = 9.0
    with caplog.at_level(logging.WARNING):
        check_shifts(shifts, 8, Path("a.star"), names)
        check_shifts(shifts, 0, Path("b.star"), names)  # a box that is not known
    assert ["1 of 200 shifts" in message for message in caplog.messages] == [True]


def test_pixel_sizes_that_disagree_are_refused_until_one_is_given(
    series: pd.DataFrame, write_series: Write
) -> None:
    series["rlnImagePixelSize"] = "2.0"
    with pytest.raises(DataError, match="rlnDetectorPixelSize says 4 A/px, rlnImagePixelSize says"):
        _read(write_series(series))
    assert _read(write_series(series), pixel_size_a=2.0).pixel_size_a == 2
    series["rlnImagePixelSize"] = "4.03"  # within 1 %, as calibrations differ
    assert _read(write_series(series)).pixel_size_a == 4


def test_tomograms_of_different_pixel_sizes_are_named(
    series: pd.DataFrame, write_series: Write
) -> None:
    series.loc[5, "rlnDetectorPixelSize"] = "4.2"
    with pytest.raises(DataError, match=r"4: TS_1.tomostar, 5 rows; 4.2: TS_10.tomostar, 1 rows"):
        _read(write_series(series))


def test_pixel_sizes_that_differ_by_nothing_are_read_with_their_mean_and_said(
    series: pd.DataFrame, write_series: Write, caplog: pytest.LogCaptureFixture
) -> None:
    series.loc[5, "rlnDetectorPixelSize"] = "4.006"
    with caplog.at_level(logging.INFO):
        particles = _read(write_series(series))
    assert particles.pixel_size_a == pytest.approx(4.001)
    assert "pixel sizes are 4 to 4.006 A/px; their mean, 4.001 A/px, is taken" in caplog.text
    reader = WarpParticleseries(
        WarpParticleseriesSpec(path=write_series(series)), ReaderContext(needs_images=False)
    )
    assert reader.read().pixel_size_a == particles.pixel_size_a
    series["rlnDetectorPixelSize"] = ["4"] * 3 + ["4.06"] * 3
    with pytest.raises(DataError, match=r"pixel sizes are 4 to 4\.06 A/px"):
        _read(write_series(series))


@pytest.mark.parametrize(("box_size_px", "is_same"), [(64, True), (384, False)])
def test_pixel_sizes_may_put_the_edge_of_the_box_a_quarter_of_a_fourier_pixel_off(
    box_size_px: int, *, is_same: bool
) -> None:
    sizes_a = np.array([1.998, 2.002])  # 0.1 % off: 0.032 or 0.19 Fourier pixels
    assert the_one_pixel_size_a(sizes_a, Path("p"), box_size_px=lambda: box_size_px) == 2
    sizes_a = np.array([1.995, 2.005])  # 0.25 % off: 0.08 or 0.48
    if is_same:
        assert the_one_pixel_size_a(sizes_a, Path("p"), box_size_px=lambda: box_size_px) == 2
    else:
        with pytest.raises(DataError, match=r"0.48 Fourier pixels at the edge of the box; "):
            the_one_pixel_size_a(sizes_a, Path("p"), box_size_px=lambda: box_size_px)
    with pytest.raises(DataError, match="pixel sizes are"):
        the_one_pixel_size_a(sizes_a, Path("p"))  # a box that is not known


def test_a_pixel_size_that_is_given_is_that_of_all_optics_groups(tmp_path: Path) -> None:
    written = warptools_set()
    written.optics["rlnImagePixelSize"] = ["4.0", "5.0"]
    with pytest.raises(DataError, match=r"1: 4, 2: 5.*--Apix gives one pixel size to all"):
        _read_set(written, tmp_path / "apart")
    assert _read_set(written, tmp_path / "given", pixel_size_a=4.5).pixel_size_a == 4.5


def test_optics_groups_of_nearly_one_pixel_size_are_read_with_the_mean_of_their_particles(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written = warptools_set()
    straight = _read_set(written, tmp_path / "same")
    written.optics["rlnImagePixelSize"] = ["4.0", "4.004"]
    n_second = int((written.particles["rlnOpticsGroup"] == "2").sum())
    with caplog.at_level(logging.INFO):
        particles = _read_set(written, tmp_path / "apart")
    mean_a = 4 + 0.004 * n_second / len(written.particles)
    assert particles.pixel_size_a == pytest.approx(mean_a, abs=1e-9)
    assert "pixel sizes are 4 to 4.004 A/px" in caplog.text
    assert particles.position_a is not None
    assert straight.position_a is not None
    is_second = (written.particles["rlnOpticsGroup"] == "2").to_numpy()
    assert np.allclose(particles.position_a[~is_second], straight.position_a[~is_second])
