"""A cache holds the windowed, centered transforms of its images, or is not there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
import torch

from tests.core.cache.imaginary import ImaginaryReader, take
from tomodrgn.core.cache.layout import read_header
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.errors import CacheError, DataError
from tomodrgn.core.fourier.disc import half_plane_disc, images_to_disc
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.cache.store import CoefficientCache
    from tomodrgn.core.particles.tables import ParticleSet

PLAIN = PreparationSpec(window=False)
EXACT = CacheSpec(dtype="float32", reserve_gb=0)
HALF = CacheSpec(reserve_gb=0)
ONE_IMAGE = 4 * 16 * 16


def stored(path: Path) -> NDArray[np.float64]:
    """Coefficients of a cache without its provisional scale."""
    with h5py.File(path, "r", locking=False) as file:
        scale: float = file.attrs["scale"]
        return np.asarray(file["images/coefficients"][:], dtype=np.float64) * scale


def transform(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    disc = half_plane_disc(pixels.shape[-1])
    return images_to_disc(torch.from_numpy(pixels), disc).numpy()


def centred(particles: ParticleSet) -> ParticleSet:
    """The same set without shifts."""
    still = replace(particles.images, shift_px=np.zeros_like(particles.images.shift_px))
    return replace(particles, images=still)


def test_rows_of_the_cache_are_rows_of_the_set(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    still = centred(particles)
    build_cache(tmp_path / "c.h5", still, reader, PLAIN, EXACT)
    np.testing.assert_array_equal(
        stored(tmp_path / "c.h5"), transform(reader.pixels[particles.source_image])
    )


def test_a_known_integer_shift_is_undone(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    shifts = np.random.default_rng(0).integers(-3, 4, (particles.n_images, 2))
    still, moved = centred(particles), np.empty_like(reader.pixels)
    for row, (x, y) in zip(particles.source_image, shifts, strict=True):
        moved[row] = np.roll(reader.pixels[row], (-y, -x), axis=(0, 1))
    known = replace(particles, images=replace(particles.images, shift_px=shifts.astype(np.float32)))
    build_cache(tmp_path / "still.h5", still, reader, PLAIN, EXACT)
    build_cache(tmp_path / "moved.h5", known, replace(reader, pixels=moved), PLAIN, EXACT)
    np.testing.assert_allclose(
        stored(tmp_path / "moved.h5"), stored(tmp_path / "still.h5"), atol=1e-4
    )  # float32 phases up to 3 pi, coefficients up to 50


def test_the_window_removes_what_lies_outside_it(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    box = particles.box_size_px
    axis = (np.arange(box) - box // 2) / (box / 2)
    outside = np.hypot(axis[:, None], axis) >= 0.9
    spoilt = reader.pixels + 100 * outside.astype(np.float32)
    build_cache(tmp_path / "a.h5", particles, reader, PreparationSpec(), EXACT)
    build_cache(
        tmp_path / "b.h5", particles, replace(reader, pixels=spoilt), PreparationSpec(), EXACT
    )
    np.testing.assert_array_equal(stored(tmp_path / "a.h5"), stored(tmp_path / "b.h5"))


def test_the_normalisation_is_the_rms_over_all_images(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    build_cache(tmp_path / "c.h5", particles, reader, PLAIN, EXACT)
    power = np.square(stored(tmp_path / "c.h5")).sum(-1).mean()
    assert read_header(tmp_path / "c.h5").rms == pytest.approx(np.sqrt(power), rel=1e-6)


@pytest.mark.parametrize("strength", [1e-6, 1.0, 1e6])
def test_the_normalisation_scales_with_the_pixels(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path, strength: float
) -> None:
    stronger = replace(reader, pixels=reader.pixels * np.float32(strength))
    build_cache(tmp_path / "one.h5", particles, reader, PLAIN, HALF)
    build_cache(tmp_path / "two.h5", particles, stronger, PLAIN, HALF)
    expected = strength * read_header(tmp_path / "one.h5").rms
    assert read_header(tmp_path / "two.h5").rms == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(
        stored(tmp_path / "two.h5") / strength, stored(tmp_path / "one.h5"), atol=0.04
    )  # float16 keeps 11 bits of coefficients up to 50


@pytest.mark.parametrize("strongest", [0, -1])
def test_one_much_stronger_image_does_not_overflow(
    reader: ImaginaryReader, particles: ParticleSet, tmp_path: Path, strongest: int
) -> None:
    row = np.argsort(particles.source_image)[strongest]
    reader.pixels[particles.source_image[row]] *= 1e6
    build_cache(tmp_path / "c.h5", centred(particles), reader, PLAIN, HALF, block_bytes=ONE_IMAGE)
    expected = transform(reader.pixels[particles.source_image])[row]
    np.testing.assert_allclose(
        stored(tmp_path / "c.h5")[row], expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max()
    )


def test_images_too_different_for_float16_are_refused(
    reader: ImaginaryReader, particles: ParticleSet, tmp_path: Path
) -> None:
    reader.pixels[particles.source_image[0]] *= 1e12
    reader.pixels[particles.source_image[1:]] *= 1e-3
    with pytest.raises(DataError, match="differ too much in strength"):
        build_cache(tmp_path / "c.h5", particles, reader, PLAIN, HALF)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_not_finite_are_named_and_leave_nothing(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path, value: float
) -> None:
    rows = [1, 7]
    reader.pixels[particles.source_image[rows], 0, 0] = value
    with pytest.raises(DataError, match="2 of 12 images hold pixels that are not") as caught:
        build_cache(tmp_path / "c.h5", particles, reader, PreparationSpec(), HALF)
    assert all(name in str(caught.value) for name in particles.image_name[rows])
    assert not list(tmp_path.iterdir())


def test_empty_images_are_refused(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    reader.pixels[:] = 0
    with pytest.raises(DataError, match="all images are empty"):
        build_cache(tmp_path / "c.h5", particles, reader, PLAIN, HALF)


def test_a_full_disk_is_found_before_writing(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    with pytest.raises(CacheError, match=r"no room for the cache .* another --cache"):
        build_cache(tmp_path / "c.h5", particles, reader, PLAIN, CacheSpec(reserve_gb=1e9))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match=r"file/c.h5: the cache could not be built .*--cache"):
        build_cache(tmp_path / "file" / "c.h5", particles, reader, PLAIN, HALF)


def test_the_order_of_particles_does_not_change_their_coefficients(
    particles: ParticleSet, reader: ImaginaryReader, cache: CoefficientCache, tmp_path: Path
) -> None:
    backwards = take(particles, np.arange(particles.n_particles)[::-1])
    build_cache(tmp_path / "b.h5", backwards, reader, PreparationSpec(), HALF)
    rows = cache.rows(backwards)
    np.testing.assert_array_equal(stored(cache.path)[rows], stored(tmp_path / "b.h5"))


def test_progress_ends_with_all_images(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    build_cache(
        tmp_path / "c.h5", particles, reader, PLAIN, HALF, progress=lambda *now: seen.append(now)
    )
    assert seen[-1] == (particles.n_images, particles.n_images)


def test_block_sizes_do_not_change_the_coefficients(
    particles: ParticleSet, reader: ImaginaryReader, cache: CoefficientCache, tmp_path: Path
) -> None:
    spec = PreparationSpec()
    build_cache(tmp_path / "b.h5", particles, reader, spec, HALF, block_bytes=5 * ONE_IMAGE)
    np.testing.assert_array_equal(stored(cache.path), stored(tmp_path / "b.h5"))


def test_a_build_leaves_the_cache_alone_beside_it(cache: CoefficientCache) -> None:
    assert [path.name for path in cache.path.parent.iterdir()] == ["cache.h5"]
