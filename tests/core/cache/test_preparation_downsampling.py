"""Downsampling while images are prepared: smaller images of the same particles."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tests.core.cache.imaginary import ImaginaryReader, imaginary_particles, imaginary_reader
from tomodrgn.core.cache.store import CacheError, ensure_cache
from tomodrgn.core.cache.transform import build_transform
from tomodrgn.core.data.dataset import downsampled
from tomodrgn.core.errors import DataError
from tomodrgn.core.fourier.disc import half_plane_disc
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.particles.tables import ParticleSet

SMALL = 10


@pytest.fixture
def particles() -> ParticleSet:
    return imaginary_particles()


@pytest.fixture
def reader(particles: ParticleSet) -> ImaginaryReader:
    return imaginary_reader(particles)


def test_only_what_is_counted_in_pixels_changes(
    reader: ImaginaryReader, particles: ParticleSet
) -> None:
    _, smaller = downsampled(reader, particles, SMALL)
    assert smaller.box_size_px == SMALL
    assert smaller.pixel_size_a * SMALL == particles.pixel_size_a * particles.box_size_px
    np.testing.assert_allclose(
        smaller.images.shift_px * smaller.pixel_size_a,
        particles.images.shift_px * particles.pixel_size_a,
        rtol=1e-6,  # float32
    )
    for name in ("rotation", "dose_e_per_a2", "tilt_deg", "optics"):
        assert getattr(smaller.images, name) is getattr(particles.images, name)
    assert smaller.source_image is particles.source_image


def test_prepared_coefficients_are_those_of_low_frequencies(
    reader: ImaginaryReader, particles: ParticleSet
) -> None:
    """Centered, in the same place: a shift in pixels scales with the box."""
    smaller_reader, smaller = downsampled(reader, particles, SMALL)
    plain = PreparationSpec(window=False)
    box, rows = particles.box_size_px, particles.source_image
    full = build_transform(plain, box)(reader.load_images(rows), particles.images.shift_px)
    small = build_transform(plain, SMALL)(smaller_reader.load_images(rows), smaller.images.shift_px)
    among = {tuple(k): row for row, k in enumerate(half_plane_disc(box).k.tolist())}
    low = full[:, [among[tuple(k)] for k in half_plane_disc(SMALL).k.tolist()]]
    torch.testing.assert_close(small * (box / SMALL) ** 2, low, rtol=1e-4, atol=1e-4)  # float32


def test_images_do_not_depend_on_the_blocks_they_are_loaded_in(
    reader: ImaginaryReader, particles: ParticleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    smaller_reader, _ = downsampled(reader, particles, SMALL)
    rows = particles.source_image[::-1]
    at_once = smaller_reader.load_images(rows)
    monkeypatch.setattr("tomodrgn.core.cache.downsampled._BLOCK_BYTES", 1)
    one_by_one = smaller_reader.load_images(rows)
    np.testing.assert_allclose(one_by_one, at_once, rtol=0, atol=1e-6)  # float32


def test_reader_survives_pickling(reader: ImaginaryReader, particles: ParticleSet) -> None:
    smaller_reader, smaller = downsampled(reader, particles, SMALL)
    again = pickle.loads(pickle.dumps(smaller_reader))  # noqa: S301  our own bytes
    assert again.read().optics == smaller.optics
    assert again.fingerprint() == reader.fingerprint()
    assert again.has_images


def test_larger_box_is_refused(reader: ImaginaryReader, particles: ParticleSet) -> None:
    with pytest.raises(DataError, match="18 px is more than the box of the images, 16 px"):
        downsampled(reader, particles, 18)


def test_cache_of_another_box_is_stale(
    reader: ImaginaryReader, particles: ParticleSet, tmp_path: Path
) -> None:
    path, spec = tmp_path / "cache.h5", CacheSpec(reserve_gb=0)
    smaller_reader, smaller = downsampled(reader, particles, SMALL)
    preparation = PreparationSpec(downsample=SMALL)
    cache = ensure_cache(path, smaller, smaller_reader, preparation, spec)
    assert cache.header.box_size_px == SMALL
    assert cache.header.pixel_size_a == smaller.pixel_size_a
    with pytest.raises(CacheError, match="downsample is 10 in the cache and None now"):
        ensure_cache(path, particles, reader, PreparationSpec(), spec)
