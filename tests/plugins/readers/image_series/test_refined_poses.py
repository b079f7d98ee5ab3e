"""Refined poses in image series: written into their columns, read again, never forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

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
from tomodrgn.core.particles.downsampling import downsample_particles
from tomodrgn.core.particles.selection import take_particles
from tomodrgn.plugins.readers import NextpypSpec, WarpParticleseriesSpec
from tomodrgn.plugins.readers.image_series.nextpyp import Nextpyp
from tomodrgn.plugins.readers.image_series.reader import ImageSeries
from tomodrgn.plugins.readers.image_series.warp_particleseries import WarpParticleseries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[pd.DataFrame], Path]


def warp(path: Path) -> ImageSeries:
    return WarpParticleseries(WarpParticleseriesSpec(path=path), ReaderContext(needs_images=False))


def nextpyp(path: Path) -> ImageSeries:
    return Nextpyp(NextpypSpec(path=path), ReaderContext(needs_images=False))


def rows_of(path: Path) -> pd.DataFrame:
    star = read_star(path)
    return star.read(star.table_with("rlnImageName"))


ORIGINS = {
    "no origins": {},
    "pixels": {"rlnOriginX": "1.5", "rlnOriginY": "-2"},
    "angstrom": {"rlnOriginXAngst": "6.0", "rlnOriginYAngst": "-8.0"},
    "both": {
        "rlnOriginX": "1.5", "rlnOriginY": "-2", "rlnOriginXAngst": "6.0", "rlnOriginYAngst": "-8",
    },
}  # fmt: skip


@pytest.mark.parametrize("origins", ORIGINS.values(), ids=ORIGINS)
def test_refined_poses_are_read_as_they_were_found(
    origins: dict[str, str], series: pd.DataFrame, write_series: Write, tmp_path: Path
) -> None:
    path = write_series(series.assign(**origins))
    reader = warp(path)
    assert isinstance(reader, PoseWriter)
    particles = reader.read()
    found = some_corrections(particles).after(some_tilt_corrections(particles))
    written = reader.write_poses(particles, found, tmp_path / "refined.star")
    assert written.files == [tmp_path / "refined.star"]
    assert not written.not_written
    again = warp(written.files[0]).read()
    assert_refined(again, found.of(particles))
    assert_refined_by(again, found)
    assert_other_columns_stay(path, written.files[0], written.changed)
    shown = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi", *(origins or ORIGINS["pixels"]))
    assert set(written.changed) == set(shown)


def test_refining_twice_keeps_what_was_stated_first(
    series: pd.DataFrame, write_series: Write, tmp_path: Path
) -> None:
    path = write_series(series)
    particles = warp(path).read()
    first = some_corrections(particles).after(some_tilt_corrections(particles))
    once = warp(path).write_poses(particles, first, tmp_path / "once.star").files[0]
    refined = warp(once).read()
    second = some_corrections(refined, 5).after(some_tilt_corrections(refined, 6))
    twice = warp(once).write_poses(refined, second, tmp_path / "twice.star").files[0]
    again = warp(twice).read()
    assert_refined(again, second.of(refined))
    assert_refined_by(again, second.after(first))
    stated = rows_of(twice)
    assert list(stated["tdgnStatedAngleRot"]) == list(series["rlnAngleRot"])
    assert twice.read_bytes().count(b"poses were refined by tomodrgn") == 1


def test_particles_that_were_not_refined_keep_their_bytes(
    series: pd.DataFrame, write_series: Write, tmp_path: Path
) -> None:
    path = write_series(series)
    particles = warp(path).read()
    some = take_particles(particles, np.array([False, True, False]), "not chosen")
    files = warp(path).write_poses(some, some_corrections(some), tmp_path / "out.star").files
    again = rows_of(files[0])
    others = [0, 1, 2, 5]
    for name in series.columns:
        assert list(again[name].iloc[others]) == list(series[name].iloc[others])
    assert not np.isin(again["rlnAngleRot"].iloc[[3, 4]], series["rlnAngleRot"]).any()


def test_no_corrections_change_no_value(
    series: pd.DataFrame, write_series: Write, tmp_path: Path
) -> None:
    path = write_series(series.assign(rlnOriginX="1", rlnOriginY="2"))
    particles = warp(path).read()
    nothing = no_corrections(particles)
    (out,) = warp(path).write_poses(particles, nothing, tmp_path / "out.star").files
    assert_other_columns_stay(path, out, ())
    assert_refined_by(warp(out).read(), nothing)


def test_dark_frames_of_a_refined_particle_turn_along(
    series: pd.DataFrame, write_series: Write, tmp_path: Path
) -> None:
    series.loc[0, "rlnCtfScalefactor"] = "0"
    path = write_series(series)
    particles = warp(path).read()
    found = some_corrections(particles)
    (out,) = warp(path).write_poses(particles, found, tmp_path / "out.star").files
    lit = rows_of(out)
    lit.loc[0, "rlnCtfScalefactor"] = "1"
    series.loc[0, "rlnCtfScalefactor"] = "1"
    everything = warp(write_series(series)).read()
    again = warp(write_series(lit)).read()
    assert_refined(again, _all(found, particles, everything))


def _all(found: Any, particles: Any, everything: Any) -> Any:
    full = no_corrections(everything)
    np.testing.assert_array_equal(particles.name, everything.name)
    return replace(
        full, rotation=found.rotation, shift_px=found.shift_px, log_scale=found.log_scale
    ).of(everything)


def test_corrections_of_smaller_images_are_in_their_pixels(
    series: pd.DataFrame, write_series: Write, tmp_path: Path
) -> None:
    path = write_series(series)
    reader = WarpParticleseries(WarpParticleseriesSpec(path=path), ReaderContext())
    particles = reader.read()
    small = downsample_particles(particles, 4)
    found = some_corrections(small)
    (out,) = reader.write_poses(small, found, tmp_path / "out.star").files
    whole = WarpParticleseries(WarpParticleseriesSpec(path=out), ReaderContext()).read()
    again = downsample_particles(whole, 4)
    assert_refined(again, found.of(small))
    assert_refined_by(again, found)


def test_selections_of_refined_particles_take_their_corrections_along(
    series: pd.DataFrame, write_series: Write, tmp_path: Path
) -> None:
    path = write_series(series)
    particles = warp(path).read()
    found = some_corrections(particles)
    (out,) = warp(path).write_poses(particles, found, tmp_path / "out.star").files
    keeps = np.array([True, False, True])
    some = take_particles(warp(out).read(), keeps, "not chosen")
    stated = take_particles(particles, keeps, "not chosen")
    assert_refined_by(some, found.take(np.flatnonzero(keeps), np.arange(stated.n_images)))


def test_other_programs_read_the_file(
    series: pd.DataFrame, write_series: Write, tmp_path: Path
) -> None:
    starfile = pytest.importorskip("starfile")
    path = write_series(series)
    particles = warp(path).read()
    found = some_corrections(particles)
    (out,) = warp(path).write_poses(particles, found, tmp_path / "out.star").files
    starfile.write(starfile.read(out), tmp_path / "again.star")
    again = warp(tmp_path / "again.star").read()
    assert_refined(again, found.of(particles))
    assert_refined_by(again, found)
