"""Known corrections of sets that were written, and what must hold once they are read again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

from tomodrgn.core.files.star import read_star
from tomodrgn.core.particles.corrections import Corrections, no_corrections

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.particles.tables import ParticleSet

OWN = "tdgn"


def some_corrections(particles: ParticleSet, seed: int = 1) -> Corrections:
    """Rotations of 5 degrees, shifts of a pixel and contrast, of particles and of tilts."""
    rng = np.random.default_rng(seed)
    n_particles = particles.n_particles
    rotation = Rotation.from_rotvec(rng.normal(0, np.deg2rad(5), (n_particles, 3))).as_matrix()
    return replace(
        no_corrections(particles),
        rotation=rotation,
        shift_px=rng.normal(0, 1, (n_particles, 3)),
        log_scale=rng.normal(0, 0.3, n_particles),
    )


def some_tilt_corrections(particles: ParticleSet, seed: int = 2) -> Corrections:
    """Shifts of half a pixel and contrast of tilts, the same in all images of an exposure."""
    rng = np.random.default_rng(seed)
    of = particles.particle_of_image
    exposure = np.array(
        [
            f"{tomogram} {dose:.2f}"
            for tomogram, dose in zip(
                particles.tomogram[of], particles.images.dose_e_per_a2, strict=True
            )
        ]
    )
    names, number = np.unique(exposure, return_inverse=True)
    return replace(
        no_corrections(particles),
        tilt_shift_px=rng.normal(0, 0.5, (len(names), 2))[number],
        tilt_log_scale=rng.normal(0, 0.2, len(names))[number],
    )


def assert_refined(found: ParticleSet, expected: ParticleSet) -> None:
    """Poses as corrections have them, to what six decimals tell."""
    images, wanted = found.images, expected.images
    np.testing.assert_array_equal(found.name, expected.name)
    np.testing.assert_array_equal(found.image_name, expected.image_name)
    np.testing.assert_allclose(images.rotation, wanted.rotation, atol=1e-6)  # float32
    total = wanted.shift_px + wanted.further_shift_px
    np.testing.assert_allclose(images.shift_px, total, atol=1e-5)
    assert images.further_shift_px is None
    np.testing.assert_allclose(images.scale, wanted.scale, rtol=1e-6)
    for name, atol in (("orientation", 1e-7), ("position_a", 1e-5)):
        if getattr(expected, name) is not None:
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=atol)


def assert_refined_by(again: ParticleSet, expected: Corrections) -> None:
    """Corrections as they were written, to what six decimals and float32 tell.

    One image does not show how far a particle moved along the beam.
    """
    found = again.corrections
    assert found is not None
    np.testing.assert_allclose(found.rotation, expected.rotation, atol=1e-6)
    is_seen = again.counts != 1
    np.testing.assert_allclose(found.shift_px[is_seen], expected.shift_px[is_seen], atol=1e-4)
    np.testing.assert_allclose(found.tilt_shift_px, expected.tilt_shift_px, atol=1e-6)
    np.testing.assert_allclose(found.log_scale, expected.log_scale, atol=1e-6)
    np.testing.assert_allclose(found.tilt_log_scale, expected.tilt_log_scale, atol=1e-6)


def assert_other_columns_stay(before: Path, after: Path, changed: tuple[str, ...]) -> None:
    """Every value of every table but those of columns that changed, or are our own."""
    old, new = read_star(before), read_star(after)
    assert [block.name for block in old.blocks] == [block.name for block in new.blocks]
    for one, other in zip(old.tables, new.tables, strict=True):
        rows, again = old.read(one), new.read(other)
        for name in set(one.columns) - set(changed):
            assert list(rows[name]) == list(again[name]), name
        added = set(other.columns) - set(one.columns) - set(changed)
        assert all(name.startswith(OWN) for name in added)
