"""Corrections in files: nothing is lost, and particles are told by their names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.star import read_star
from tomodrgn.core.particles.corrections import Corrections, no_corrections
from tomodrgn.core.particles.corrections_file import (
    error_columns,
    read_corrections,
    read_errors,
    write_corrections,
)
from tomodrgn.core.particles.downsampling import downsample_particles
from tomodrgn.core.particles.identity import match_particles
from tomodrgn.core.particles.selection import take_particles
from tomodrgn.core.products import RESULTS

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.particles.tables import ParticleSet


@pytest.fixture
def corrections(particles: ParticleSet) -> Corrections:
    rng = np.random.default_rng(7)
    exposure = particles.images.dose_e_per_a2.astype(int) // 3 + np.where(
        particles.tomogram[particles.particle_of_image] == "a", 0, 4
    )
    return replace(
        no_corrections(particles),
        rotation=Rotation.random(particles.n_particles, rng=rng).as_matrix(),
        shift_px=rng.normal(0, 1, (particles.n_particles, 3)),
        log_scale=rng.normal(0, 0.3, particles.n_particles),
        tilt_shift_px=rng.normal(0, 0.5, (8, 2))[exposure],
        tilt_log_scale=rng.normal(0, 0.1, 8)[exposure],
    )


def assert_equal(found: Corrections, expected: Corrections) -> None:
    for name in ("rotation", "shift_px", "log_scale", "tilt_shift_px", "tilt_log_scale"):
        np.testing.assert_allclose(  # some roundings of float64
            getattr(found, name), getattr(expected, name), rtol=1e-14, atol=1e-15, err_msg=name
        )


def test_corrections_are_read_to_the_last_digit(
    particles: ParticleSet, corrections: Corrections, tmp_path: Path
) -> None:
    files = write_corrections(tmp_path, particles, corrections)
    assert all(RESULTS.fullmatch(file.name) for file in files)
    assert_equal(read_corrections(tmp_path, particles), corrections)


def test_what_is_not_known_of_them_is_read_back_along_each_axis(
    particles: ParticleSet,
    shuffled_particles: ParticleSet,
    corrections: Corrections,
    tmp_path: Path,
) -> None:
    write_corrections(tmp_path, particles, corrections)
    assert read_errors(tmp_path, particles) is None
    roots = np.random.default_rng(8).normal(0, 1, (particles.n_particles, 7, 7))
    columns = error_columns(roots @ roots.mT, particles.pixel_size_a)
    write_corrections(tmp_path, particles, corrections, of_particles=columns)
    expected = np.sqrt(np.square(roots).sum(2))
    np.testing.assert_allclose(read_errors(tmp_path, particles), expected, rtol=1e-14)
    rows = match_particles(particles, shuffled_particles)
    found = read_errors(tmp_path, shuffled_particles)
    np.testing.assert_allclose(found, expected[rows], rtol=1e-14)


def test_particles_are_told_by_name(
    particles: ParticleSet,
    shuffled_particles: ParticleSet,
    corrections: Corrections,
    tmp_path: Path,
) -> None:
    write_corrections(tmp_path, particles, corrections)
    images = np.concatenate([np.arange(6, 9), np.arange(4), np.arange(4, 6)])
    expected = corrections.take(np.array([2, 0, 1]), images)
    assert_equal(read_corrections(tmp_path, shuffled_particles), expected)


def test_some_particles_on_other_pixels_find_their_own(
    particles: ParticleSet, corrections: Corrections, tmp_path: Path
) -> None:
    write_corrections(tmp_path, particles, corrections)
    some = take_particles(particles, np.array([False, True, True]), "not chosen")
    expected = corrections.take(np.array([1, 2]), np.arange(4, 9)).rescaled(0.5)
    assert_equal(read_corrections(tmp_path, downsample_particles(some, 4)), expected)


def test_halves_may_see_an_exposure_apart(
    particles: ParticleSet, corrections: Corrections, tmp_path: Path
) -> None:
    half = np.array([1, 2, 1])
    shifts = corrections.tilt_shift_px + half[particles.particle_of_image][:, None]
    apart = replace(corrections, tilt_shift_px=shifts)
    _, tilts = write_corrections(tmp_path, particles, apart, half=half)
    star = read_star(tilts)
    assert len(star.read(star.table_with("tdgnHalfSet"))) == 9  # not one exposure is in both
    assert "tdgnImage" not in star.table_with("tdgnHalfSet").columns
    assert_equal(read_corrections(tmp_path, particles), apart)


def test_images_of_an_exposure_may_differ(
    particles: ParticleSet, corrections: Corrections, tmp_path: Path
) -> None:
    shifts = np.random.default_rng(8).normal(0, 1, (particles.n_images, 2))
    local = replace(corrections, tilt_shift_px=shifts)
    write_corrections(tmp_path, particles, local)
    assert_equal(read_corrections(tmp_path, particles), local)


def test_further_columns_stand_beside(
    particles: ParticleSet, corrections: Corrections, tmp_path: Path
) -> None:
    star, _ = write_corrections(
        tmp_path, particles, corrections,
        half=np.array([1, 2, 1]), of_particles={"tdgnTurnSd": np.array([0.1, 0.2, 0.3])},
    )  # fmt: skip
    table = read_star(star).read(read_star(star).table_with("tdgnTurnSd"))
    assert list(table.tdgnTurnSd) == ["0.1", "0.2", "0.3"]
    assert list(table.tdgnHalfSet) == ["1", "2", "1"]


def test_particles_that_were_not_refined_are_refused(
    particles: ParticleSet, corrections: Corrections, tmp_path: Path
) -> None:
    write_corrections(tmp_path, particles, corrections)
    names = np.array(["p0", "p1", "other"], dtype=object)
    with pytest.raises(DataError, match=r"refined_poses.star: particle 'other'"):
        read_corrections(tmp_path, replace(particles, name=names))
