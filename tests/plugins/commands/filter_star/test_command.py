"""Filtering by index, label and tomogram: which rows stay, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tomodrgn.core.data.inputs import Inputs
from tomodrgn.core.errors import DataError, OutputError, SpecError
from tomodrgn.core.files.star import read_star, write_table
from tomodrgn.core.interfaces import Reader, ReaderContext
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.testing.example_run import COUNTS, example_rows
from tomodrgn.plugins.commands.filter_star.command import filter_star
from tomodrgn.plugins.commands.filter_star.spec import FilterSpec

if TYPE_CHECKING:
    from tomodrgn.core.particles.tables import ParticleSet
from tomodrgn.core.registry import Registry

needs_data = pytest.mark.skipif(
    "TOMODRGN_TEST_DATA" not in os.environ, reason="TOMODRGN_TEST_DATA is not set"
)
REAL_FILES = (
    "10076/10076_both_32_sim.star",
    "10076/10076_both_32_sim_vols.star",
    "10076/10076_classD_32_sim.star",
    "10076/10076_classE_32_sim.star",
    "warptools/warptools_test_4-tomos_10-ptcls_box-32_angpix-12.star",
    "warptools/warptools_test_4-tomos_10-ptcls_box-32_angpix-12_optimisation_set.star",
)


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Three particles with 3, 5 and 4 images; the second one lies in another tomogram."""
    table = example_rows()
    table.loc[table.rlnGroupName == "000_000001", "rlnMicrographName"] = "ab.tomostar"
    write_table(tmp_path / "in.star", table)
    return tmp_path / "in.star"


def kept(series: Path, registry: Registry, **options: Any) -> list[int]:
    """Rows of the series that are written."""
    out = series.with_name("out.star")
    filter_star(
        Inputs(registry), validate(FilterSpec, {"particles": series, "out": out, **options})
    )
    lines = series.read_bytes().splitlines(keepends=True)
    rows = [line for line in lines if b"@" in line]
    found = [line for line in out.read_bytes().splitlines(keepends=True) if b"@" in line]
    return [rows.index(line) for line in found]


def indices(folder: Path, *values: int) -> Path:
    path = folder / "ind.txt"
    path.write_text("".join(f"{value}\n" for value in values))
    return path


def read(path: Path, registry: Registry) -> ParticleSet:
    component = registry.get("reader", registry.identify_reader(path))
    context = ReaderContext(needs_images=False)
    reader: Reader = registry.build(validate(component.spec, {"path": path}), context)
    return reader.read()


OF_PARTICLE = np.repeat(range(3), COUNTS)
TILT = np.concatenate([np.arange(count) for count in COUNTS])
CHOICES = {
    "particle": ((0, 2), np.isin(OF_PARTICLE, [0, 2])),
    "image": ((0, 4, 11), np.isin(np.arange(12), [0, 4, 11])),
    "tilt": ((1, 4), np.isin(TILT, [1, 4])),
}


@pytest.mark.parametrize("what", CHOICES)
@pytest.mark.parametrize("action", ["keep", "drop"])
def test_indices_count_particles_images_or_tilts(
    series: Path, installed_components: Registry, what: str, action: str
) -> None:
    values, mask = CHOICES[what]
    path = indices(series.parent, *values)
    found = kept(series, installed_components, ind=path, ind_type=what, action=action)
    assert found == np.flatnonzero(mask if action == "keep" else ~mask).tolist()


def test_particles_with_few_tilts_are_left_out(
    series: Path, installed_components: Registry
) -> None:
    assert kept(series, installed_components, min_tilts=4) == [*range(3, 12)]
    path = indices(series.parent, 0, 4)
    options = {"ind": path, "ind_type": "tilt", "action": "drop", "min_tilts": 3}
    assert kept(series, installed_components, **options) == [4, 5, 6, 9, 10, 11]


def test_labels_choose_particles(series: Path, installed_components: Registry) -> None:
    np.save(series.parent / "labels.npy", np.array([5, 7, 5]))
    options = {"labels": series.parent / "labels.npy", "labels_sel": [5]}
    assert (
        kept(series, installed_components, **options) == np.flatnonzero(OF_PARTICLE != 1).tolist()
    )


def test_labels_may_be_names(series: Path, installed_components: Registry) -> None:
    path = series.parent / "labels.txt"
    path.write_text("apo\n70S\napo\n")
    found = kept(series, installed_components, labels=path, labels_sel=["apo"])
    assert found == np.flatnonzero(OF_PARTICLE != 1).tolist()


def test_labels_may_be_a_column_of_the_file(series: Path, installed_components: Registry) -> None:
    names = {"labels_column": "_rlnGroupName", "labels_sel": ["000_000001"]}
    found = kept(series, installed_components, **names)
    assert found == np.flatnonzero(OF_PARTICLE == 1).tolist()
    with pytest.raises(DataError, match=r"in\.star: no particle has the label x; found 000_000000"):
        kept(series, installed_components, **{**names, "labels_sel": ["x"]})


def test_numbers_in_a_column_are_numbers(series: Path, installed_components: Registry) -> None:
    volts = {"labels_column": "rlnVoltage", "labels_sel": ["300"]}  # 300.0 in the file
    assert len(kept(series, installed_components, **volts)) == len(OF_PARTICLE)


@pytest.mark.parametrize("name", ["a", "a.tomostar", "a.mrc"])
def test_tomogram_is_named_exactly_up_to_its_ending(
    series: Path, installed_components: Registry, name: str
) -> None:
    found = kept(series, installed_components, tomogram=name)
    assert found == np.flatnonzero(OF_PARTICLE != 1).tolist()


def test_indices_and_tomogram_must_both_hold(series: Path, installed_components: Registry) -> None:
    path = indices(series.parent, 0, 1)
    assert kept(series, installed_components, ind=path, tomogram="a") == [0, 1, 2]


def test_all_writes_a_file_for_each_tomogram(series: Path, installed_components: Registry) -> None:
    out = series.with_name("out.star")
    spec = FilterSpec(particles=series, out=out, tomogram="all")
    paths = filter_star(Inputs(installed_components), spec)
    assert [path.name for path in paths] == ["out.star", "out_a.star", "out_ab.star"]
    counts = [read(path, installed_components).n_images for path in paths]
    assert counts == [12, 7, 5]


def test_tomograms_whose_names_differ_in_a_slash_keep_all_their_rows(
    series: Path, installed_components: Registry
) -> None:
    table = read_star(series).read(read_star(series).tables[0])
    names = {"a.tomostar": "s1/TS", "ab.tomostar": "s1_TS"}
    table["rlnMicrographName"] = table["rlnMicrographName"].replace(names)
    write_table(series, table)
    spec = FilterSpec(particles=series, out=series.with_name("out.star"), tomogram="all")
    paths = filter_star(Inputs(installed_components), spec)
    assert [path.name for path in paths] == ["out.star", "out_s1_TS_2.star", "out_s1_TS.star"]
    assert [read(path, installed_components).n_images for path in paths] == [12, 7, 5]


def test_other_columns_can_name_tomograms_and_particles(
    series: Path, installed_components: Registry
) -> None:
    table = read_star(series).read(read_star(series).tables[0])
    table["session"] = np.where(TILT < 2, "one", "two")
    write_table(series, table)
    found = kept(series, installed_components, tomogram="one", tomogram_column="_session",
                 particle_column="index")  # fmt: skip
    assert found == np.flatnonzero(TILT < 2).tolist()
    path = indices(series.parent, 1)
    found = kept(series, installed_components, ind=path, particle_column="session")
    assert found == np.flatnonzero(TILT >= 2).tolist()


def test_dark_frames_stay_with_their_particle(series: Path, installed_components: Registry) -> None:
    table = read_star(series).read(read_star(series).tables[0])
    table.loc[4, "rlnCtfScalefactor"] = "0.0"
    write_table(series, table)
    path = indices(series.parent, 1)
    assert kept(series, installed_components, ind=path) == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ind": (3,)}, "index 3 is out of range .* has 3 particles"),
        ({"ind": (-1,)}, "index -1 is out of range"),
        ({"ind": (1, 1)}, "index 1 is there 2 times"),
        ({"ind": (12,), "ind_type": "image"}, "has 12 images"),
        ({"ind": (5,), "ind_type": "tilt"}, "has 5 tilt images per particle"),
        ({"ind": (0, 1, 2), "action": "drop"}, "nothing is left of 12 rows"),
        ({"tomogram": "b"}, "tomogram 'b' is not there"),
        ({"tomogram": "a.*"}, "is not there"),
        ({"tomogram": "a", "tomogram_column": "rlnNone"}, "column rlnNone is missing"),
        ({"tomogram": "a", "input_type": "optimisation_set"}, "is warp_particleseries, not"),
        ({"tomogram": "a", "input_type": "volumeseries"}, "is warp_particleseries, not"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    series: Path, installed_components: Registry, options: dict[str, Any], message: str
) -> None:
    if "ind" in options:
        options = {**options, "ind": indices(series.parent, *options["ind"])}
    with pytest.raises(DataError, match=message):
        kept(series, installed_components, **options)
    assert not series.with_name("out.star").exists()


@pytest.mark.parametrize("what", ["particle", "image", "tilt"])
def test_a_table_without_rows_has_nothing_to_choose(
    series: Path, installed_components: Registry, what: str
) -> None:
    lines = series.read_text().splitlines(keepends=True)
    series.write_text("".join(line for line in lines if "@" not in line))
    with pytest.raises(DataError, match="out of range"):
        kept(series, installed_components, ind=indices(series.parent, 0), ind_type=what)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "nothing to filter by"),
        ({"ind": "a", "labels": "b", "labels_sel": [1]}, "give one of them"),
        ({"labels": "b"}, "give both"),
        ({"labels_column": "b"}, "give both"),
        ({"labels": "b", "labels_column": "b", "labels_sel": [1]}, "give one of them"),
        ({"tomogram": "a", "action": "drop"}, "action drop belongs to ind or labels"),
    ],
)
def test_contradictions_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        validate(FilterSpec, {"particles": "a.star", "out": "b.star", **options})


def test_no_output_is_the_input(series: Path, installed_components: Registry) -> None:
    table = series.rename(series.with_name("out_a.star"))
    before = table.read_bytes()
    spec = FilterSpec(particles=table, out=series.with_name("out.star"), tomogram="all")
    with pytest.raises(OutputError, match=r"out_a.star: is the input"):
        filter_star(Inputs(installed_components), spec)
    assert table.read_bytes() == before
    assert not series.with_name("out.star").exists()


@pytest.mark.parametrize("name", ["imageseries", "warp_imageseries", "warp_particleseries", "auto"])
def test_names_of_earlier_versions_are_understood(
    series: Path, installed_components: Registry, name: str
) -> None:
    assert kept(series, installed_components, tomogram="ab", input_type=name) == [3, 4, 5, 6, 7]


@needs_data
@pytest.mark.parametrize("style", ["as it is", "CRLF", "tabs", "quotes"])
@pytest.mark.parametrize("name", REAL_FILES)
def test_kept_rows_of_real_files_are_byte_equal(
    name: str, style: str, tmp_path: Path, installed_components: Registry
) -> None:
    source = restyled(Path(os.environ["TOMODRGN_TEST_DATA"]) / name, style, tmp_path)
    everyone = read(source, installed_components)
    n_particles = everyone.n_particles
    chosen = np.random.default_rng(0).permutation(n_particles)[: n_particles // 3]
    spec = FilterSpec(
        particles=source, out=tmp_path / "new" / "sub.star", ind=indices(tmp_path, *chosen)
    )
    written = filter_star(Inputs(installed_components), spec)
    found = read(written[0], installed_components)
    mask = np.isin(everyone.source_particle, chosen)
    np.testing.assert_array_equal(found.name, everyone.name[mask])
    np.testing.assert_array_equal(found.counts, everyone.counts[mask])
    images = mask[everyone.particle_of_image]
    np.testing.assert_array_equal(found.images.rotation, everyone.images.rotation[images])
    np.testing.assert_array_equal(found.image_name, everyone.image_name[images])
    original = {line for path in source.parent.glob("*.star") for line in lines_of(path)}
    for path in written:
        added = [line for line in lines_of(path) if line not in original]
        assert all(b"_rlnTomo" in line and b"File" in line for line in added)


def restyled(source: Path, style: str, folder: Path) -> Path:
    """A copy of a file, and of those beside it, with other white space or quotes."""
    for path in source.parent.glob("*.star"):
        content = path.read_bytes()
        if style == "CRLF":
            content = content.replace(b"\n", b"\r\n")
        elif style in ("tabs", "quotes"):
            content = b"".join(map(_restyle(style), content.splitlines(keepends=True)))
        (folder / path.name).write_bytes(content)
    return folder / source.name


def _restyle(style: str) -> Any:
    def change(line: bytes) -> bytes:
        words = line.split()
        if len(words) < 3 or line.lstrip().startswith((b"_", b"#")):
            return line
        if style == "quotes":
            words[-1] = b'"' + words[-1] + b'"'
        return b"\t".join(words) + b"\t\n"

    return change


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)
