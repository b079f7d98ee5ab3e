"""Refined poses of sets: in angles and origins, tilts where their series state them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.plugins.readers.handmade_sets import (
    FLAVOURS,
    PIXEL_SIZE_A,
    SERIES_PIXEL_SIZE_A,
    HandmadeSet,
    relion4_set,
    relion5_set,
    texts,
    warptools_set,
)
from tests.plugins.readers.refined_sets import (
    assert_other_columns_stay,
    assert_refined,
    assert_refined_by,
    some_corrections,
    some_tilt_corrections,
)
from tomodrgn.core.files.star import read_star
from tomodrgn.core.interfaces import PoseWriter, ReaderContext
from tomodrgn.core.particles.corrections import no_corrections
from tomodrgn.plugins.readers import OptimisationSetSpec
from tomodrgn.plugins.readers.optimisation_set.reader import OptimisationSet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def reader_of(path: Path, *, needs_images: bool = True, **options: Any) -> OptimisationSet:
    return OptimisationSet(
        OptimisationSetSpec(path=path, **options), ReaderContext(needs_images=needs_images)
    )


def with_priors() -> HandmadeSet:
    """RELION 5 after extraction in the orientation that was known then."""
    made = relion5_set()
    for name, angles in {"Rot": [7, 80, -9, 3, 1], "Tilt": [90, 5, 60, 70, 80]}.items():
        made.particles[f"rlnTomoSubtomogram{name}"] = texts(angles)
    made.particles["rlnTomoSubtomogramPsi"] = texts([15, 2, -150, 40, 60])
    return made


def without_origins() -> HandmadeSet:
    made = relion5_set()
    made.particles = made.particles.drop(columns=[f"rlnOrigin{axis}Angst" for axis in "XYZ"])
    return made


def picked() -> HandmadeSet:
    """RELION 5 before any refinement: angles of extraction alone."""
    made = without_origins()
    return replace(
        made,
        particles=made.particles.rename(columns=lambda name: name.replace("rlnAngle", _SUB)),
    )


_SUB = "rlnTomoSubtomogram"
SETS: dict[str, Callable[[], HandmadeSet]] = {
    **FLAVOURS,
    "relion5 with priors": with_priors,
    "relion5 without origins": without_origins,
    "relion5 as picked": picked,
}


def table(path: Path, column: str) -> Any:
    star = read_star(path)
    return star.read(star.table_with(column))


@pytest.mark.parametrize("make", SETS.values(), ids=SETS)
def test_refined_poses_are_read_as_they_were_found(
    make: Callable[[], HandmadeSet], tmp_path: Path
) -> None:
    path = make().write(tmp_path)
    reader = reader_of(path)
    assert isinstance(reader, PoseWriter)
    particles = reader.read()
    found = some_corrections(particles).after(some_tilt_corrections(particles))
    written = reader.write_poses(particles, found, tmp_path / "refined.star")
    again = reader_of(written.files[0]).read()
    assert_refined(again, found.of(particles))
    assert_refined_by(again, found)
    names = ("refined.star", "refined_particles.star", "refined_tomograms.star")
    assert [file.name for file in written.files[:3]] == list(names)
    for old, new in zip(("particles.star", "tomograms.star"), names[1:], strict=True):
        changed = (*written.changed, "rlnTomoTiltSeriesStarFile")
        assert_other_columns_stay(tmp_path / old, tmp_path / new, changed)


@pytest.mark.parametrize("make", SETS.values(), ids=SETS)
def test_refining_twice_keeps_what_was_stated_first(
    make: Callable[[], HandmadeSet], tmp_path: Path
) -> None:
    path = make().write(tmp_path)
    particles = reader_of(path).read()
    first = some_corrections(particles).after(some_tilt_corrections(particles))
    once = reader_of(path).write_poses(particles, first, tmp_path / "once.star").files[0]
    refined = reader_of(once).read()
    second = some_corrections(refined, 5).after(some_tilt_corrections(refined, 6))
    twice = reader_of(once).write_poses(refined, second, tmp_path / "twice.star").files[0]
    again = reader_of(twice).read()
    assert_refined(again, second.of(refined))
    assert_refined_by(again, second.after(first))


def test_no_corrections_change_no_value(tmp_path: Path) -> None:
    path = relion5_set().write(tmp_path)
    particles = reader_of(path).read()
    nothing = no_corrections(particles)
    written = reader_of(path).write_poses(particles, nothing, tmp_path / "out.star")
    assert len(written.files) == 3
    assert_other_columns_stay(tmp_path / "particles.star", written.files[1], ())
    assert written.files[2].read_bytes() == (tmp_path / "tomograms.star").read_bytes()
    assert_refined_by(reader_of(written.files[0]).read(), nothing)


def test_content_that_moves_was_found_beside_the_place(tmp_path: Path) -> None:
    path = relion5_set().write(tmp_path)
    particles = reader_of(path).read()
    found = replace(no_corrections(particles), tilt_shift_px=np.ones((particles.n_images, 2)))
    written = reader_of(path).write_poses(particles, found, tmp_path / "out.star")
    assert not written.not_written
    series = table(tmp_path / "out_tilt_series" / "TS_1.star", "rlnTomoXShiftAngst")
    assert set(series.rlnTomoXShiftAngst) == {f"{12.5 - PIXEL_SIZE_A:.6f}"}
    assert set(series.rlnTomoYShiftAngst) == {f"{-40 - PIXEL_SIZE_A:.6f}"}
    assert set(series.tdgnStatedTomoXShiftAngst) == {"12.5"}


def test_matrices_of_relion_move_in_pixels_of_the_tilt_series(tmp_path: Path) -> None:
    path = relion4_set().write(tmp_path)
    particles = reader_of(path).read()
    found = replace(no_corrections(particles), tilt_shift_px=np.ones((particles.n_images, 2)))
    written = reader_of(path).write_poses(particles, found, tmp_path / "out.star")
    before, after = (table(tmp_path / name, "rlnTomoProjX") for name in _TOMOGRAMS)
    for axis in "XY":
        old, new = (rows[f"rlnTomoProj{axis}"].str.strip("[]") for rows in (before, after))
        assert [text.rpartition(",")[0] for text in old] == [
            text.rpartition(",")[0] for text in new
        ]
        moved_px = [float(text.rpartition(",")[2]) for text in new]
        stated_px = [float(text.rpartition(",")[2]) for text in old]
        step = PIXEL_SIZE_A / SERIES_PIXEL_SIZE_A
        np.testing.assert_allclose(moved_px, np.array(stated_px) - step, atol=1e-5)
    assert "rlnTomoProjX" in written.changed


_TOMOGRAMS = ("tomograms.star", "out_tomograms.star")


def test_warptools_has_no_place_for_shifts_of_tilts(tmp_path: Path) -> None:
    path = warptools_set().write(tmp_path)
    particles = reader_of(path).read()
    found = some_tilt_corrections(particles)
    written = reader_of(path).write_poses(particles, found, tmp_path / "out.star")
    (fault,) = written.not_written
    assert "matrices of WarpTools" in fault
    assert not any(name.startswith("rlnTomoProj") for name in written.changed)


def test_images_extracted_later_have_the_shifts_of_tilts(tmp_path: Path) -> None:
    path = relion5_set().write(tmp_path)
    particles = reader_of(path).read()
    found = some_tilt_corrections(particles)
    out, star, *_ = reader_of(path).write_poses(particles, found, tmp_path / "out.star").files
    shutil.copytree(tmp_path / "stacks", tmp_path / "later" / "stacks")
    text = star.read_text()
    for name in table(star, "rlnImageName").rlnImageName:
        text = text.replace(f"\t{name}\t", f"\tlater/{name}\t", 1)  # those corrected keep theirs
    star.write_text(text)
    again = reader_of(out).read()
    np.testing.assert_allclose(again.images.shift_px, particles.images.shift_px, atol=1e-6)
    assert again.corrections is not None
    assert not again.corrections.tilt_shift_px.any()


def test_particles_alone_have_no_place_for_tilts(tmp_path: Path) -> None:
    relion5_set().write(tmp_path)
    tomograms = tmp_path / "tomograms.star"
    reader = reader_of(tmp_path / "particles.star", tomograms=tomograms)
    particles = reader.read()
    found = some_corrections(particles)
    both = found.after(some_tilt_corrections(particles))
    written = reader.write_poses(particles, both, tmp_path / "out.star")
    assert written.files == [tmp_path / "out.star"]
    assert "were given without a set" in written.not_written[0]
    again = reader_of(tmp_path / "out.star", tomograms=tomograms).read()
    assert_refined_by(again, found)


def test_particles_without_images_are_placed_as_refined(tmp_path: Path) -> None:
    path = relion5_set().write(tmp_path)
    reader = reader_of(path)
    particles = reader.read()
    found = some_corrections(particles)
    (out, *_) = reader.write_poses(particles, found, tmp_path / "out.star").files
    shutil.rmtree(tmp_path / "stacks")
    again = reader_of(out, needs_images=False).read()
    np.testing.assert_allclose(again.position_a, found.of(particles).position_a, atol=1e-5)


def test_recentered_coordinates_keep_the_anchor(tmp_path: Path) -> None:
    path = relion5_set().write(tmp_path)
    particles = reader_of(path).read()
    found = some_corrections(particles)
    out, star, *_ = reader_of(path).write_poses(particles, found, tmp_path / "out.star").files
    rows = table(star, "rlnImageName")
    text = star.read_text()
    for axis in "XYZ":  # as RELION does when it extracts at the refined centre
        place, origin = f"rlnCenteredCoordinate{axis}Angst", f"rlnOrigin{axis}Angst"
        for old, shift in zip(rows[place], rows[origin], strict=True):
            text = text.replace(f"\t{old}\t", f"\t{float(old) - float(shift):.6f}\t", 1)
            text = text.replace(f"\t{shift}\t", "\t0.000000\t", 1)
    star.write_text(text)
    again = reader_of(out).read()
    np.testing.assert_allclose(again.position_a, found.of(particles).position_a, atol=1e-5)
    assert again.corrections is not None
    np.testing.assert_allclose(again.corrections.shift_px, found.shift_px, atol=1e-5)


def test_paths_are_counted_from_the_project_folder_of_relion(tmp_path: Path) -> None:
    path = relion5_set().write(tmp_path / "Refine3D" / "job030")
    star = path.parent / "tomograms.star"
    for file in (path, star):
        text = file.read_text()
        for name in ("particles.star", "tomograms.star", "TS_1.star", "TS_10.star"):
            text = text.replace(f"\t{name}", f"\tRefine3D/job030/{name}")
            text = text.replace(f"  {name}", f"  Refine3D/job030/{name}")
        file.write_text(text)
    particles = reader_of(path).read()
    found = some_tilt_corrections(particles)
    out = tmp_path / "External" / "job031" / "refined.star"
    files = reader_of(path, needs_images=False).write_poses(particles, found, out).files
    written = read_star(out)
    for name, file in zip(("Particles", "Tomograms"), files[1:3], strict=True):
        stated = written.value_of(f"rlnTomo{name}File")
        assert tmp_path / str(stated) == file
    series = table(files[2], "rlnTomoTiltSeriesStarFile").rlnTomoTiltSeriesStarFile
    assert all((tmp_path / name).is_file() for name in series)
    again = reader_of(out, needs_images=False).read()
    assert again.corrections is not None
    np.testing.assert_allclose(again.corrections.tilt_shift_px, found.tilt_shift_px, atol=1e-6)
