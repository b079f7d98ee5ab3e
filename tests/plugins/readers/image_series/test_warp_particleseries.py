"""Image series of Warp, M and cryoSRPNT."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.mrc import write_stack
from tomodrgn.core.files.star import read_star, write_table
from tomodrgn.core.geometry.rotations import matrices_from_euler
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.particles.half_sets import NO_NUMBER, SEVERAL
from tomodrgn.core.particles.selection import select
from tomodrgn.core.specs.dataset import DatasetSpec
from tomodrgn.plugins.readers import WarpParticleseriesSpec, tomodrgn_identify_reader
from tomodrgn.plugins.readers.image_series.reader import DARK_FRAME
from tomodrgn.plugins.readers.image_series.warp_particleseries import WarpParticleseries
from tomodrgn.plugins.readers.upstream_files.warp_columns import CTF
from tomodrgn.testing import ReaderContract

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.particles.tables import ParticleSet

    Write = Callable[[pd.DataFrame], Path]

needs_test_data = pytest.mark.skipif(
    "TOMODRGN_TEST_DATA" not in os.environ, reason="TOMODRGN_TEST_DATA is not set"
)


def _reader(path: Path, **options: Any) -> WarpParticleseries:
    return WarpParticleseries(WarpParticleseriesSpec(path=path, **options), ReaderContext())


def _rows_by_key(particles: ParticleSet) -> dict[tuple[str, str], dict[str, Any]]:
    """Every value of every image under its particle and image name."""
    names = particles.name[particles.particle_of_image]
    images = particles.images
    return {
        (name, image): {
            "rotation": images.rotation[row].tolist(),
            "dose": images.dose_e_per_a2[row],
            "tilt": images.tilt_deg[row],
            "defocus": images.ctf.defocus_u_a[row],
            "place": row - particles.starts[particles.particle_of_image[row]],
        }
        for row, (name, image) in enumerate(zip(names, particles.image_name, strict=True))
    }


class TestWarpParticleseries(ReaderContract):
    @pytest.fixture(autouse=True)
    def _series(self, series: pd.DataFrame, write_series: Write) -> None:
        self.path = write_series(series)

    def make_spec(self, _folder: Path) -> WarpParticleseriesSpec:
        return WarpParticleseriesSpec(path=_folder / "particles.star")


def test_images_are_packed_by_particle_in_ascending_dose(
    series: pd.DataFrame, write_series: Write
) -> None:
    particles = _reader(write_series(series)).read()
    assert particles.tomogram.tolist() == ["TS_1.tomostar", "TS_1.tomostar", "TS_10.tomostar"]
    assert particles.name.tolist() == ["001_000001", "001_000007", "002_01"]
    assert particles.counts.tolist() == [3, 2, 1]
    assert particles.source_particle.tolist() == [0, 1, 2]
    assert particles.source_image.tolist() == [1, 2, 0, 3, 4, 5]
    assert particles.images.dose_e_per_a2.tolist() == [0, 3, 6, 0, 3, 0]
    np.testing.assert_allclose(particles.images.tilt_deg, [0, 3, 3, 0, 3, 0], atol=0.01)
    assert particles.images.ctf.defocus_u_a.tolist() == [30001, 30002, 30000, 30003, 30004, 30005]
    assert (particles.pixel_size_a, particles.box_size_px, particles.rows_read) == (4.0, 8, 6)
    assert particles.images.shift_px.tolist() == [[0, 0]] * 6


def test_euler_angles_are_those_of_the_row(series: pd.DataFrame, write_series: Write) -> None:
    particles = _reader(write_series(series)).read()
    expected = matrices_from_euler([[10.0 * row, 60.0, -20.0] for row in particles.source_image])
    np.testing.assert_allclose(particles.images.rotation, expected, atol=1e-6)


def test_images_are_those_of_the_row(series: pd.DataFrame, write_series: Write) -> None:
    reader = _reader(write_series(series))
    images = reader.load_images(np.array([5, 0, 3, 1, 0]))
    assert images.dtype == np.float32
    assert images[:, 0, 0].tolist() == [12, 0, 10, 1, 0]


def test_row_order_and_column_order_change_no_image(
    series: pd.DataFrame, write_series: Write
) -> None:
    reader = _reader(write_series(series))
    straight = reader.read()
    pixels = reader.load_images(straight.source_image)[:, 0, 0]
    rng = np.random.default_rng(0)
    table = series.iloc[rng.permutation(len(series))][rng.permutation(series.columns)]
    reader = _reader(write_series(table))
    shuffled = reader.read()
    assert _rows_by_key(shuffled) == _rows_by_key(straight)
    by_name = dict(zip(straight.image_name, pixels, strict=True))
    again = reader.load_images(shuffled.source_image)[:, 0, 0]
    assert dict(zip(shuffled.image_name, again, strict=True)) == by_name


def test_equal_doses_are_ordered_by_tilt_and_name_not_by_row(
    series: pd.DataFrame, write_series: Write
) -> None:
    series["rlnCtfBfactor"] = "0"
    straight = _reader(write_series(series)).read()
    shuffled = _reader(write_series(series[::-1])).read()
    assert _rows_by_key(shuffled) == _rows_by_key(straight)


def test_names_stay_text_and_a_particle_is_a_pair_of_names(
    series: pd.DataFrame, write_series: Write
) -> None:
    series["rlnGroupName"] = ["01", "01", "1", "1e0", "1.0", "01"]
    series["rlnMicrographName"] = ["a", "a", "a", "a", "a", "b"]
    particles = _reader(write_series(series)).read()
    pairs = list(zip(particles.tomogram, particles.name, strict=True))
    assert pairs == [("a", "01"), ("a", "1"), ("a", "1e0"), ("a", "1.0"), ("b", "01")]


def test_a_set_without_tomograms_has_empty_names(series: pd.DataFrame, write_series: Write) -> None:
    particles = _reader(write_series(series.drop(columns="rlnMicrographName"))).read()
    assert particles.tomogram.tolist() == ["", "", ""]


def test_dark_frames_are_rejected_and_counted(series: pd.DataFrame, write_series: Write) -> None:
    series.loc[2, "rlnCtfScalefactor"] = "0.0"
    series.loc[5, "rlnCtfScalefactor"] = "0"
    particles = _reader(write_series(series)).read()
    assert particles.source_image.tolist() == [1, 0, 3, 4]
    assert particles.rejected == {DARK_FRAME: 2}
    assert particles.rows_read == 6


def test_shifts_are_read_in_pixels_and_in_angstrom(
    series: pd.DataFrame, write_series: Write
) -> None:
    in_px = series.assign(rlnOriginX="1.5", rlnOriginY="-2.0")
    in_a = series.assign(rlnOriginXAngst="6.0", rlnOriginYAngst="-8.0")
    for table in (in_px, in_a):
        particles = _reader(write_series(table)).read()
        assert particles.images.shift_px.tolist() == [[1.5, -2.0]] * 6


def test_pixel_size_follows_the_magnification(series: pd.DataFrame, write_series: Write) -> None:
    series["rlnMagnification"] = "20000"
    assert _reader(write_series(series)).read().pixel_size_a == 2.0
    assert _reader(write_series(series), pixel_size_a=7.5).read().pixel_size_a == 7.5
    series = series.drop(columns=["rlnMagnification", "rlnDetectorPixelSize"])
    with pytest.raises(DataError, match=r"states no pixel size .* give it with --Apix"):
        _reader(write_series(series)).read()
    assert _reader(write_series(series), pixel_size_a=7.5).read().pixel_size_a == 7.5
    assert _reader(write_series(series.assign(rlnPixelSize="3"))).read().pixel_size_a == 3.0


def test_a_set_without_ctf_is_read_with_a_warning(
    series: pd.DataFrame, write_series: Write, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        particles = _reader(write_series(series.drop(columns=[*CTF.values()]))).read()
    assert particles.images.ctf is None
    assert particles.images.voltage_kv.tolist() == [300] * 6
    assert "no columns of the contrast transfer function" in caplog.text


def test_a_set_without_ctf_may_lack_the_dose(
    series: pd.DataFrame, write_series: Write, caplog: pytest.LogCaptureFixture
) -> None:
    bare = series.drop(columns=[*CTF.values(), "rlnCtfBfactor"])
    with caplog.at_level(logging.WARNING):
        particles = _reader(write_series(bare)).read()
    assert not particles.images.dose_e_per_a2.any()
    assert "set it with --dose-override" in caplog.text


def test_a_cosine_just_above_one_is_no_tilt(series: pd.DataFrame, write_series: Write) -> None:
    series["rlnCtfScalefactor"] = "1.0000001"
    assert not _reader(write_series(series)).read().images.tilt_deg.any()


@pytest.mark.parametrize(
    ("written", "folder", "datadir"),
    [
        ("stacks/", "stacks", None),
        ("elsewhere/", ".", None),
        ("", "far", "far"),
        ("deep/", "far/deep", "far"),
        ("lost/", "far", "far"),
    ],
)
def test_stacks_are_found_wherever_they_may_lie(
    written: str, folder: str, datadir: str | None, series: pd.DataFrame, write_series: Write
) -> None:
    path = write_series(series.replace("stacks/", written, regex=True))
    (path.parent / folder).mkdir(parents=True, exist_ok=True)
    for stack in sorted((path.parent / "stacks").iterdir()):
        stack.rename(path.parent / folder / stack.name)
    reader = _reader(path, datadir=datadir and path.parent / datadir)
    assert reader.load_images(np.array([4]))[0, 0, 0] == 11


def test_stacks_are_those_beside_the_star_file(
    series: pd.DataFrame, write_series: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_series(series)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_stack(Path("stacks/1.mrcs"), np.full((3, 8, 8), 77.0), 99.0, "int16")
    assert _reader(path).load_images(np.array([4, 0]))[:, 0, 0].tolist() == [11, 0]
    chosen = _reader(path, datadir=tmp_path / "here")
    assert chosen.load_images(np.array([4, 0]))[:, 0, 0].tolist() == [77, 0]


def test_a_stack_of_one_image_needs_no_number(
    series: pd.DataFrame, write_series: Write, tmp_path: Path
) -> None:
    names = [f"single/{row}.mrc" for row in range(len(series))]
    for row, name in enumerate(names):
        write_stack(tmp_path / name, np.full((1, 8, 8), float(row)), 1.0)
    series["rlnImageName"] = [*names[:5], f"1.0@{names[5]}"]
    reader = _reader(write_series(series))
    assert reader.load_images(np.array([4, 0, 5]))[:, 0, 0].tolist() == [4, 0, 5]
    write_stack(tmp_path / names[2], np.zeros((2, 8, 8)), 1.0)
    with pytest.raises(DataError, match=r"row 3: .*2.mrc' has no number, and its stack holds 2"):
        _reader(tmp_path / "particles.star").read()


def _change(column: str, row: int, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row, column] = value
        return table

    return change


def _drop(*columns: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.drop(columns=list(columns))


FAULTS = {
    "no particle name": (_drop("rlnGroupName"), "column rlnGroupName is missing; an image series"),
    "no dose": (_drop("rlnCtfBfactor"), "column rlnCtfBfactor is missing"),
    "no image name": (_drop("rlnImageName"), "column rlnImageName is missing; found"),
    "some ctf": (_drop("rlnVoltage"), "rlnVoltage missing beside rlnDefocusU, .* or none"),
    "no rows": (lambda table: table[:0], "has no rows"),
    "angle": (_change("rlnAngleTilt", 3, "north"), "column rlnAngleTilt, row 4: 'north' is not a"),
    "image name": (
        _change("rlnImageName", 1, "x@a.mrcs"),
        "row 2: image name 'x@a.mrcs' is not N@",
    ),
    "image zero": (_change("rlnImageName", 1, "0@stacks/0.mrcs"), "row 2: image name '0@stacks"),
    "beyond": (_change("rlnImageName", 4, "4@stacks/1.mrcs"), "row 5: image 4@.* holds 3 images"),
    "twice": (
        _change("rlnImageName", 4, "3@./stacks/1.mrcs"),
        "row 6 is the image of row 5 with other",
    ),
    "positive": (_change("rlnCtfBfactor", 0, "1.5"), "rlnCtfBfactor, row 1: 1.5 is positive"),
    "cosine": (_change("rlnCtfScalefactor", 0, "1.02"), "row 1: 1.02 is no cosine of a tilt"),
    "two sizes": (
        _change("rlnDetectorPixelSize", 0, "5"),
        r"4 to 5 A/px \(4: TS_1.* --Apix",
    ),
    "half a shift": (lambda t: t.assign(rlnOriginX="1"), "rlnOriginY missing beside rlnOriginX"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_rows_are_refused_in_one_line(
    fault: str, series: pd.DataFrame, write_series: Write
) -> None:
    change, match = FAULTS[fault]
    with pytest.raises(DataError, match=match) as caught:
        _reader(write_series(change(series))).read()
    assert "particles.star" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_stack_is_reported_with_every_path_tried(
    series: pd.DataFrame, write_series: Write, stacks: list[Path], tmp_path: Path
) -> None:
    path = write_series(series)
    for stack in stacks:
        stack.unlink()
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match=r"stacks/0.mrcs is missing \(2 of 2 stacks are\)") as error:
        _reader(path, datadir=tmp_path / "data").read()
    tried = [tmp_path / "stacks", tmp_path / "data" / "stacks", tmp_path / "data"]
    for place in (Path("stacks"), *tried):
        assert f"{place / '0.mrcs'}, " in str(error.value).replace("; give", ", give")


@pytest.mark.parametrize(
    ("shape", "match"),
    [
        ((3, 7, 7), "images are 7 x 7 pixels; boxes are square with an even edge"),
        ((3, 8, 6), "images are 8 x 6 pixels; boxes are square"),
        ((3, 10, 10), r"1.mrcs: images are 8 x 8 pixels, those of .*0.mrcs are 10 x 10"),
    ],
)
def test_boxes_that_cannot_be_used_are_refused(
    shape: tuple[int, int, int],
    match: str,
    series: pd.DataFrame,
    write_series: Write,
    stacks: list[Path],
) -> None:
    path = write_series(series)
    write_stack(stacks[0], np.zeros(shape), 1.0)
    with pytest.raises(DataError, match=match):
        _reader(path).read()


def test_a_truncated_stack_is_refused_before_pixels_are_read(
    series: pd.DataFrame, write_series: Write, stacks: list[Path]
) -> None:
    stacks[1].write_bytes(stacks[1].read_bytes()[:-1])
    with pytest.raises(DataError, match=r"1\.mrcs: is truncated"):
        _reader(write_series(series)).read()


def test_an_image_series_is_identified_by_the_columns_it_needs(
    series: pd.DataFrame, write_series: Write
) -> None:
    extra = series[series.columns[::-1]].assign(rlnUnheardOf="1", rlnCoordinateZ="7")
    assert tomodrgn_identify_reader(write_series(extra)) == "warp_particleseries"


@pytest.mark.parametrize("suffix", [".mrcs", ".txt", ".cs"])
def test_bare_images_are_refused_with_the_columns_needed(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"")
    for read in (tomodrgn_identify_reader, lambda path: _reader(path).read()):
        with pytest.raises(DataError, match=r"holds no tilt metadata; give a STAR .*rlnGroupName"):
            read(path)


def test_the_fingerprint_changes_with_a_stack(
    series: pd.DataFrame, write_series: Write, stacks: list[Path]
) -> None:
    path = write_series(series)
    before = _reader(path).fingerprint()
    assert _reader(path).fingerprint() == before
    write_stack(stacks[1], np.ones((3, 8, 8)), 1.0)
    assert _reader(path).fingerprint() != before


@needs_test_data
def test_the_simulated_ribosomes_are_read() -> None:
    folder = Path(os.environ["TOMODRGN_TEST_DATA"]) / "10076"
    reader = _reader(folder / "10076_both_32_sim.star")
    particles = reader.read()
    assert (particles.n_particles, particles.n_images) == (144, 1296)
    assert set(particles.counts[:72]) == {8}
    assert set(particles.counts[72:]) == {10}
    assert (particles.pixel_size_a, particles.box_size_px) == (13.1, 32)
    np.testing.assert_allclose(particles.images.dose_e_per_a2[:3], [2, 4, 6])
    np.testing.assert_allclose(particles.images.tilt_deg[:4], [0, 3, 3, 6], atol=0.01)
    images = reader.load_images(particles.source_image[-20:])
    assert np.isfinite(images).all()
    assert images.std() > 0


@needs_test_data
def test_a_classic_selection_writes_back_the_rows_of_its_particles(tmp_path: Path) -> None:
    folder = Path(os.environ["TOMODRGN_TEST_DATA"]) / "10076"
    source = folder / "10076_both_32_sim.star"
    spec = DatasetSpec(ind=folder / "ind_ptcl_first10last10.pkl")
    selected = select(_reader(source).read(), spec, 0)
    assert selected.counts.tolist() == [8] * 10 + [10] * 10
    _reader(source).write_selection(selected.source_image, tmp_path / "a.star")
    again = _reader(tmp_path / "a.star", datadir=folder).read()
    assert again.name.tolist() == selected.name.tolist()
    assert set((tmp_path / "a.star").read_text().splitlines()) <= set(
        source.read_text().splitlines()
    )


@needs_test_data
def test_shuffled_rows_of_a_real_file_make_the_same_images(tmp_path: Path) -> None:
    folder = Path(os.environ["TOMODRGN_TEST_DATA"]) / "10076"
    straight = _reader(folder / "10076_classD_32_sim.star").read()
    star = read_star(folder / "10076_classD_32_sim.star")
    table = star.read(star.table_with("rlnImageName"))
    shuffled = table.iloc[np.random.default_rng(0).permutation(len(table))]
    write_table(tmp_path / "a.star", shuffled)
    assert _rows_by_key(_reader(tmp_path / "a.star", datadir=folder).read()) == _rows_by_key(
        straight
    )


def test_half_sets_are_those_of_the_particle(
    series: pd.DataFrame, write_series: Write, caplog: pytest.LogCaptureFixture
) -> None:
    series["rlnRandomSubset"] = ["1", "1", "1", "2", "2", "0"]
    assert _reader(write_series(series)).read().half_set.tolist() == [1, 2, 0]
    series.loc[0, "rlnRandomSubset"] = "2"
    with caplog.at_level(logging.WARNING):
        assert _reader(write_series(series)).read().half_set.tolist() == [SEVERAL, 2, 0]
    assert "images of 1 of 3 particles are in different half sets" in caplog.text
    assert _reader(write_series(series.drop(columns="rlnRandomSubset"))).read().half_set is None
    odd = series.assign(rlnRandomSubset=["3", "3", "3", "x", "x", "1.0"])
    assert _reader(write_series(odd)).read().half_set.tolist() == [3, NO_NUMBER, 1]


def test_filaments_are_numbered_in_each_tomogram(series: pd.DataFrame, write_series: Write) -> None:
    def filaments(*numbers: str) -> list[int] | None:
        tubes = np.repeat(numbers, series.groupby("rlnGroupName", sort=False).size())
        found = _reader(write_series(series.assign(rlnHelicalTubeID=tubes))).read().filament
        return None if found is None else pd.factorize(found)[0].tolist()

    tomograms = _reader(write_series(series)).read().tomogram
    expected = pd.factorize(tomograms)[0].tolist()
    assert filaments("4", "4", "4") == expected
    assert filaments("1", "2", "3") == [0, 1, 2]
    assert filaments("0", "-1", "0") is None
    assert filaments("0", "0", "5") == [0, 1, 2]
    assert _reader(write_series(series)).read().filament is None


def test_metadata_are_read_without_stacks(
    series: pd.DataFrame, write_series: Write, stacks: list[Path]
) -> None:
    path = write_series(series)
    whole = _reader(path).read()
    for stack in stacks:
        stack.unlink()
    reader = WarpParticleseries(
        WarpParticleseriesSpec(path=path), ReaderContext(needs_images=False)
    )
    particles = reader.read()
    assert particles.box_size_px == 0
    assert _rows_by_key(particles) == _rows_by_key(whole)
    assert len(reader.fingerprint()["files"]) == 1
    with pytest.raises(DataError, match="is missing"):
        reader.load_images(np.array([0]))
    series.loc[4, "rlnImageName"] = series.loc[5, "rlnImageName"]
    write_series(series)
    with pytest.raises(DataError, match=r"row 6 is the image of row 5 with other angles"):
        reader.read()
