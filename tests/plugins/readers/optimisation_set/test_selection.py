"""Part of an optimisation set: files that belong together, frames switched off, paths that lead."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from tests.plugins.readers.handmade_sets import FLAVOURS, relion5_set, texts, warptools_set
from tomodrgn.core.errors import DataError, OutputError
from tomodrgn.core.files.star import read_star
from tomodrgn.core.interfaces import ReaderContext
from tomodrgn.core.particles.selection import take_images
from tomodrgn.core.testing.reader_contract import assert_same_particles
from tomodrgn.plugins.readers import OptimisationSetSpec
from tomodrgn.plugins.readers.optimisation_set.reader import OptimisationSet

if TYPE_CHECKING:
    from pathlib import Path


def reader_of(path: Path, *, needs_images: bool = False, **options: Any) -> OptimisationSet:
    return OptimisationSet(
        OptimisationSetSpec(path=path, **options), ReaderContext(needs_images=needs_images)
    )


def rows_of(reader: OptimisationSet, *particles: int) -> Any:
    return np.flatnonzero(np.isin(reader.source_rows().particle, particles))


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_some_particles_read_as_those_particles_with_their_images(
    flavour: str, tmp_path: Path
) -> None:
    path = FLAVOURS[flavour]().write(tmp_path)
    reader = reader_of(path)
    written = reader.write_selection(rows_of(reader, 1, 3), tmp_path / "sub.star")
    assert [p.name for p in written] == ["sub.star", "sub_particles.star", "sub_tomograms.star"]
    everyone, found = reader.read(), reader_of(written[0], needs_images=True).read()
    chosen = np.isin(everyone.source_particle, [1, 3])
    expected = take_images(everyone, chosen[everyone.particle_of_image], "not chosen")
    assert_same_particles(found, replace(expected, rejected={}))


def test_what_nobody_uses_is_pruned(tmp_path: Path) -> None:
    path = warptools_set().write(tmp_path)
    reader = reader_of(path)
    _, particles, tomograms = reader.write_selection(rows_of(reader, 1, 3), tmp_path / "sub.star")
    assert [block.name for block in read_star(tomograms).blocks] == ["global", "TS_10.tomostar"]
    text = tomograms.read_text()
    assert "TS_1.tomostar" not in text
    optics = read_star(particles)
    table = optics.read(next(block for block in optics.tables if block.name == "optics"))
    assert list(table.rlnOpticsGroup) == ["2"]


def test_rows_keep_their_bytes(tmp_path: Path) -> None:
    path = warptools_set().write(tmp_path)
    reader = reader_of(path)
    _, particles, _ = reader.write_selection(rows_of(reader, 0, 4), tmp_path / "sub.star")
    original = (tmp_path / "particles.star").read_bytes().splitlines(keepends=True)
    rows = [line for line in original if b".mrcs" in line]
    found = particles.read_bytes().splitlines(keepends=True)
    assert [line for line in found if b".mrcs" in line] == [rows[0], rows[4]]


def test_images_left_out_are_switched_off_in_the_list_of_frames_alone(tmp_path: Path) -> None:
    path = warptools_set().write(tmp_path)
    reader = reader_of(path)
    everyone = reader.read()
    keeps = np.ones(everyone.n_images, dtype=bool)
    keeps[[0, 5]] = False
    rows = np.setdiff1d(np.arange(everyone.rows_read), everyone.source_image[~keeps])
    out, particles, _ = reader.write_selection(rows, tmp_path / "sub.star")
    found = reader_of(out, needs_images=True)
    assert_same_particles(found.read(), take_images(everyone, keeps, "not chosen"))
    lists = [set(line.split(b"\t")) for line in particles.read_bytes().splitlines()]
    source = [
        set(line.split(b"\t")) for line in (tmp_path / "particles.star").read_bytes().splitlines()
    ]
    changed = [(new ^ old) for new, old in zip(lists, source, strict=True) if new != old]
    assert all(text.startswith(b"[") for both in changed for text in both)
    images = found.load_images(found.read().source_image)
    original = reader_of(path, needs_images=True).load_images(everyone.source_image[keeps])
    np.testing.assert_array_equal(images, original)


def test_a_particle_without_images_left_is_left_out(tmp_path: Path) -> None:
    path = warptools_set().write(tmp_path)
    reader = reader_of(path)
    visible = reader.read().source_image
    shown = reader.source_rows().particle[visible]
    rows = np.setdiff1d(rows_of(reader, 0, 1), visible[shown == 0])
    out = reader.write_selection(rows, tmp_path / "sub.star")[0]
    assert list(reader_of(out).read().name) == ["TS_10/2"]


def test_frames_of_stacks_without_dark_frames_cannot_be_switched_off(tmp_path: Path) -> None:
    path = relion5_set().write(tmp_path)
    reader = reader_of(path)
    first = reader.read().source_image[0]
    rows = np.setdiff1d(np.arange(reader.read().rows_read), [first])
    with pytest.raises(DataError, match=r"visible frames alone.*1 such.*filter by particle"):
        reader.write_selection(rows, tmp_path / "sub.star")
    assert not (tmp_path / "sub.star").exists()
    assert reader.write_selection(rows_of(reader, 0), tmp_path / "sub.star")


def test_files_of_tilt_series_are_found_from_another_folder(tmp_path: Path) -> None:
    path = relion5_set().write(tmp_path / "project" / "Extract")
    reader = reader_of(path)
    out = tmp_path / "elsewhere" / "sub.star"
    reader.write_selection(np.arange(reader.read().rows_read), out)
    found = reader_of(out, datadir=path.parent, needs_images=True).read()
    assert_same_particles(found, reader.read())
    assert "../project/Extract/TS_1.star" in (tmp_path / "elsewhere/sub_tomograms.star").read_text()


def test_trajectories_come_along(tmp_path: Path) -> None:
    made = warptools_set()
    lengths = [text.count(",") + 1 for text in made.particles.rlnTomoVisibleFrames]
    made.trajectories = {
        name: pd.DataFrame(
            {f"rlnOrigin{axis}Angst": texts(np.arange(n) * (i + 1)) for axis in "XYZ"}
        )
        for i, (name, n) in enumerate(zip(made.particles.rlnTomoParticleName, lengths, strict=True))
    }
    path = made.write(tmp_path)
    motion = (tmp_path / "motion.star").read_text()
    (tmp_path / "motion.star").write_text(f"data_general\n\n_rlnParticleNumber 5\n\n{motion}")
    reader = reader_of(path)
    written = reader.write_selection(rows_of(reader, 2, 3), tmp_path / "sub.star")
    assert "_rlnParticleNumber 2\n" in written[3].read_text()
    tables = [block.name for block in read_star(written[3]).tables if block.values is None]
    assert tables == ["TS_1/3", "TS_10/4"]
    everyone, found = reader.read(), reader_of(written[0]).read()
    chosen = np.isin(everyone.source_particle, [2, 3])[everyone.particle_of_image]
    assert_same_particles(found, take_images(everyone, chosen, "not chosen"))


def test_trajectories_of_particles_without_names_all_stay(tmp_path: Path) -> None:
    made = warptools_set()
    frames = pd.DataFrame({f"rlnOrigin{axis}Angst": texts(np.arange(5)) for axis in "XYZ"})
    made.trajectories = dict.fromkeys(made.particles.rlnTomoParticleName, frames)
    made.particles = made.particles.drop(columns="rlnTomoParticleName")
    reader = reader_of(made.write(tmp_path))
    written = reader.write_selection(rows_of(reader, 2), tmp_path / "sub.star")
    assert sum(block.values is None for block in read_star(written[3]).blocks) == 5


def test_particles_given_without_their_set_are_one_file(tmp_path: Path) -> None:
    warptools_set().write(tmp_path)
    reader = reader_of(tmp_path / "particles.star")
    written = reader.write_selection(rows_of(reader, 2), tmp_path / "sub.star")
    assert written == [tmp_path / "sub.star"]
    assert list(reader_of(written[0]).read().name) == ["TS_1/3"]


def test_no_file_of_the_set_is_overwritten(tmp_path: Path) -> None:
    path = warptools_set().write(tmp_path, name="run_optimisation_set.star")
    (tmp_path / "particles.star").rename(tmp_path / "run_particles.star")
    path.write_text(path.read_text().replace(" particles.star", " run_particles.star"))
    reader = reader_of(path)
    before = (tmp_path / "run_particles.star").read_bytes()
    with pytest.raises(OutputError, match=r"run_particles.star: is the input"):
        reader.write_selection(rows_of(reader, 2), tmp_path / "run.star")
    assert (tmp_path / "run_particles.star").read_bytes() == before
    assert not (tmp_path / "run.star").exists()


def test_columns_are_those_of_particles(tmp_path: Path) -> None:
    path = warptools_set().write(tmp_path)
    reader = reader_of(path)
    labels = np.array(list("vwxyz"), dtype=object)
    _, particles, _ = reader.write_selection(
        rows_of(reader, 1, 4), tmp_path / "sub.star", {"tomodrgnLabel": labels}
    )
    star = read_star(particles)
    table = star.read(star.table_with("rlnTomoVisibleFrames"))
    assert list(table.tomodrgnLabel) == ["w", "z"]
