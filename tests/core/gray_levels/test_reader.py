"""Laws of normalization, and what is found damaged, on noise whose answers are known."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tomodrgn.core.gray_levels.damage import (
    BLANK_SIDE,
    CONSTANT,
    EXTREME,
    NOT_FINITE,
    ODD_SCALE,
    damage_lines,
)
from tomodrgn.core.gray_levels.reader import NormalizingReader
from tomodrgn.core.particles.tables import ImageTable, OpticsGroup, ParticleSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Pixels = NDArray[np.float32]

BOX, N_TILTS, N_PARTICLES, N_TOMOGRAMS = 32, 8, 24, 3
N = N_TILTS * N_PARTICLES
AXIS = (np.arange(BOX) - BOX // 2) / (BOX / 2)


@dataclass
class Pretended:
    """Loads pixels that are in memory."""

    pixels: Pixels
    has_images = True

    def read(self) -> ParticleSet:
        return particle_set()

    def load_images(self, rows: NDArray[np.int64]) -> Pixels:
        return self.pixels[rows]

    def fingerprint(self) -> Mapping[str, Any]:
        return {}


def particle_set() -> ParticleSet:
    tilt = np.tile(np.linspace(-50, 50, N_TILTS, dtype=np.float32), N_PARTICLES)
    tomogram = [f"TS_{i % N_TOMOGRAMS}" for i in range(N_PARTICLES)]
    return ParticleSet(
        source=Path("noise.star"),
        tomogram=np.array(tomogram, dtype=object),
        name=np.array([str(i) for i in range(N_PARTICLES)], dtype=object),
        source_particle=np.arange(N_PARTICLES),
        images=ImageTable(
            rotation=np.tile(np.eye(3, dtype=np.float32), (N, 1, 1)),
            shift_px=np.zeros((N, 2), np.float32),
            dose_e_per_a2=np.tile(np.arange(N_TILTS, dtype=np.float32), N_PARTICLES),
            tilt_deg=tilt,
            voltage_kv=np.full(N, 300, np.float32),
            optics=np.zeros(N, np.int64),
        ),
        counts=np.full(N_PARTICLES, N_TILTS),
        image_name=np.array([f"{i + 1}@a.mrcs" for i in range(N)], dtype=object),
        source_image=np.arange(N),
        optics=(OpticsGroup(name="one", pixel_size_a=8.0, box_size_px=BOX),),
        rows_read=N,
    )


def noise() -> Pixels:
    """White noise of level 0 and deviation 1, with a particle in the middle."""
    rng = np.random.default_rng(4)
    particle = np.exp(-(AXIS[:, None] ** 2 + AXIS**2) / 0.08)
    pixels: Pixels = rng.standard_normal((N, BOX, BOX)).astype(np.float32)
    return pixels + particle.astype(np.float32)


def reader(pixels: Pixels, particles: ParticleSet | None = None, **options: bool) -> Any:
    forced = options.get("forced", False)
    return NormalizingReader(Pretended(pixels), particles or particle_set(), forced=forced)


def in_tomogram(number: int) -> NDArray[np.bool_]:
    return np.repeat(np.arange(N_PARTICLES) % N_TOMOGRAMS == number, N_TILTS)


EVERY = np.arange(N)


def test_normalized_images_are_left_as_they_are_bit_for_bit() -> None:
    seen = reader(noise()).look_at(EVERY)
    assert np.array_equal(seen.images, noise())
    assert not seen.damage.any()
    assert not seen.healed.any()


@pytest.mark.parametrize(
    "changed",
    [
        lambda pixels: pixels + 50,
        lambda pixels: pixels + np.linspace(-3, 3, N, dtype=np.float32)[:, None, None],
        lambda pixels: pixels + 2 * AXIS.astype(np.float32) - AXIS.astype(np.float32)[:, None],
        lambda pixels: pixels * np.float32(1e-6) + np.float32(1e-5),
        lambda pixels: pixels * np.float32(1e4) + np.float32(1e5),
    ],
    ids=["level", "level by image", "plane", "tiny", "huge"],
)
def test_a_level_a_plane_or_a_factor_changes_nothing(changed: Callable[[Pixels], Pixels]) -> None:
    before = reader(noise(), forced=True).load_images(EVERY)
    after = reader(changed(noise()).astype(np.float32)).load_images(EVERY)
    np.testing.assert_allclose(after, before, atol=5e-4)  # 50 deviations in float32 and a median


@pytest.mark.parametrize("gain", [1.3, 2.0, 20.0])
def test_a_gain_between_tomograms_is_taken_back(gain: float) -> None:
    pixels = noise()
    pixels[in_tomogram(1)] *= np.float32(gain)
    images = reader(pixels).load_images(EVERY)
    before = reader(noise(), forced=True).load_images(EVERY)
    ratio = images[in_tomogram(1)].std() / before[in_tomogram(1)].std()
    assert ratio == pytest.approx(1, abs=0.02)  # 64 images of 390 pixels: 0.5 %, of a median more


def test_background_ends_at_level_0_and_deviation_1() -> None:
    images = reader(7 * noise() + 3).load_images(EVERY)
    margin = images[:, np.hypot(AXIS[:, None], AXIS) >= 0.9]
    np.testing.assert_allclose(margin.mean(axis=1), 0, atol=1e-4)
    assert margin.std() == pytest.approx(1, abs=0.01)


def test_what_tilt_weights_took_by_right_is_kept() -> None:
    particles = particle_set()
    weighted = replace(particles.optics[0].state, tilt_weighted=True)
    particles = replace(particles, optics=(replace(particles.optics[0], state=weighted),))
    cosine = np.cos(np.deg2rad(particles.images.tilt_deg))[:, None, None].astype(np.float32)
    assert np.array_equal(reader(noise() * cosine, particles).load_images(EVERY), noise() * cosine)
    shifted = reader(9 * noise() * cosine + 9, particles).load_images(EVERY)
    deviation = shifted.std(axis=(1, 2)).reshape(-1, N_TILTS).mean(axis=0)
    np.testing.assert_allclose(deviation / deviation.max(), cosine[:N_TILTS, 0, 0] / cosine.max(),
                               rtol=0.05)  # fmt: skip  # 24 images of 1024 pixels: 0.5 %


def test_shared_scales_add_no_contrast_error() -> None:
    images = reader(3 * noise() + 1).load_images(EVERY)
    factor = images.std(axis=(1, 2)) / noise().std(axis=(1, 2))
    # a deviation of 390 pixels is known to 3.6 %, that of a tomogram to 0.5 %
    assert factor.std() < 0.01 * factor.mean()


def _spoil(code: int, image: Pixels) -> Pixels:
    if code == NOT_FINITE:
        image[3, 5] = np.nan
    elif code == CONSTANT:
        image[:] = 4
    elif code == BLANK_SIDE:
        image[:, : BOX // 2] = 0
    elif code == ODD_SCALE:
        image *= 1000
    else:
        image[10:20, 10:20] += 300
    return image


@pytest.mark.parametrize("code", [NOT_FINITE, CONSTANT, BLANK_SIDE, ODD_SCALE, EXTREME])
def test_damaged_images_are_named_and_others_left_alone(code: int) -> None:
    pixels, which = noise(), [5, 100]
    for row in which:
        pixels[row] = _spoil(code, pixels[row])
    particles = particle_set()
    seen = reader(pixels).look_at(EVERY)
    assert np.flatnonzero(seen.damage).tolist() == which
    assert set(seen.damage[which].tolist()) == {code}
    sound = seen.damage == 0
    assert np.array_equal(seen.images[sound], noise()[sound])
    assert not seen.images[which].any()
    (line,) = damage_lines(seen.damage, EVERY, particles)
    assert line.startswith("2 images: ")
    assert "(6@a.mrcs, 101@a.mrcs; by tomogram: TS_0 2)" in line or "TS_0 1" in line


def test_a_hot_pixel_is_replaced_by_background() -> None:
    pixels = noise()
    pixels[7, 0, 1] += 100
    pixels[9, 16, 16] -= 100
    seen = reader(pixels).look_at(EVERY)
    assert np.flatnonzero(seen.healed).tolist() == [7, 9]
    assert not seen.damage.any()
    changed = np.argwhere(seen.images != noise())
    assert changed.tolist() == [[7, 0, 1], [9, 16, 16]]
    assert np.abs(seen.images - noise()).max() < 6


def test_the_brightest_view_of_a_particle_is_no_hot_pixel() -> None:
    pixels = noise()
    pixels[7, 16, 16] += 11  # three times the typical peak
    assert np.array_equal(reader(pixels).load_images(EVERY), pixels)


def test_a_quarter_of_images_at_the_rim_is_found() -> None:
    pixels = noise()
    pixels[::4, :, :8] = 0
    assert np.flatnonzero(reader(pixels).look_at(EVERY).damage).tolist() == EVERY[::4].tolist()


def test_masked_images_are_left_as_they_are() -> None:
    pixels = noise() * (np.hypot(AXIS[:, None], AXIS) < 0.85)
    seen = reader(pixels.astype(np.float32)).look_at(EVERY)
    assert np.array_equal(seen.images, pixels.astype(np.float32))
    assert not seen.damage.any()


def test_noise_free_images_are_left_as_they_are() -> None:
    squared = AXIS[:, None] ** 2 + AXIS**2
    around = 0.02 * (1 + np.arange(N_PARTICLES) % N_TOMOGRAMS).repeat(N_TILTS)  # as defocus differs
    pixels = np.exp(-squared / 0.02) + around[:, None, None] * np.cos(9 * np.sqrt(squared))
    pixels = pixels.astype(np.float32)
    seen = reader(pixels).look_at(EVERY)
    assert np.array_equal(seen.images, pixels)
    assert not seen.damage.any()
    assert not seen.healed.any()


def test_a_copy_for_another_process_judges_alike() -> None:
    pixels = noise()
    pixels[in_tomogram(2)] *= 4
    mine = reader(pixels)
    copy = pickle.loads(pickle.dumps(mine))  # noqa: S301  of this test
    assert np.array_equal(copy.load_images(EVERY), mine.load_images(EVERY))


def test_parts_of_a_set_are_normalized_like_the_whole() -> None:
    pixels = 5 * noise() + 2
    whole = reader(pixels).load_images(EVERY)
    one_by_one = reader(pixels)
    parts = [one_by_one.load_images(EVERY[i : i + 7]) for i in range(0, N, 7)]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-5, atol=1e-5)
