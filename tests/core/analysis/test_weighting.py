from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.core.training.conftest import make_particles
from tomodrgn.core.analysis.weighting import group_by_tilts, relative_weights, weighting_schemes
from tomodrgn.core.particles.tables import ImageTable, ParticleSet

COUNTS = [5, 3, 5, 3, 3, 8]  # images of a particle in this set follow from how many it has


class DoseDecay:
    """exp(-dose radius / 200)."""

    def weights(self, images: ImageTable[torch.Tensor], radius_px: torch.Tensor) -> torch.Tensor:
        return torch.exp(-images.dose_e_per_a2[:, None] * radius_px / 200)


class Half:
    """One half everywhere."""

    def weights(self, images: ImageTable[torch.Tensor], radius_px: torch.Tensor) -> torch.Tensor:
        return torch.full((len(images), len(radius_px)), 0.5)


def with_column(particles: ParticleSet, name: str, row: int, value: float) -> ParticleSet:
    """The set with one number of one image changed."""
    column = getattr(particles.images, name).copy()
    column[row] = value
    return replace(particles, images=replace(particles.images, **{name: column}))


def test_shares_of_tilts_add_up_to_one_wherever_one_has_weight() -> None:
    weights = np.random.default_rng(0).random((7, 30), dtype=np.float32)
    weights[:, 20:] = 0
    weights[2, 25] = 1e-30
    total = relative_weights(weights).sum(0)
    np.testing.assert_allclose(total[:20], 1, rtol=1e-12)  # float64 sum
    assert total[25] == 1
    assert not np.delete(total[20:], 5).any()


def test_particles_with_the_same_tilts_share_a_group_and_large_groups_come_first() -> None:
    assert group_by_tilts(make_particles(COUNTS)).tolist() == [1, 0, 1, 0, 0, 2]


@pytest.mark.parametrize("column", ["dose_e_per_a2", "tilt_deg", "voltage_kv"])
def test_one_other_number_makes_another_group(column: str) -> None:
    particles = with_column(make_particles([4, 4, 4]), column, row=5, value=77)
    assert group_by_tilts(particles).tolist() == [0, 1, 0]


def test_the_same_tilts_in_another_order_are_another_group() -> None:
    particles = make_particles([4, 4])
    for row, value in ((5, 6.0), (6, 3.0)):
        particles = with_column(particles, "tilt_deg", row, value)
    assert group_by_tilts(particles).tolist() == [0, 1]


def test_the_sign_of_zero_makes_no_group() -> None:
    particles = with_column(make_particles([4, 4]), "tilt_deg", row=0, value=-0.0)
    assert group_by_tilts(particles).tolist() == [0, 0]


def test_schemes_hold_every_particle_once_and_weights_are_multiplied() -> None:
    particles = make_particles(COUNTS)
    schemes = weighting_schemes(particles, [DoseDecay(), Half()], largest_radius_px=7)
    assert [scheme.n_particles for scheme in schemes] == [3, 2, 1]
    first = schemes[0]
    assert first.dose_e_per_a2.tolist() == [3, 6, 9]
    assert first.tilt_deg.tolist() == [0, 3, 6]
    radius_px = first.freqs_per_a * particles.box_size_px * particles.pixel_size_a
    assert radius_px[[0, -1]] == pytest.approx([1, 7])
    expected = 0.5 * np.exp(-first.dose_e_per_a2[:, None] * radius_px / 200)
    np.testing.assert_allclose(first.weights, expected, rtol=1e-6)  # float32


def test_rare_schemes_are_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    particles = make_particles(COUNTS)
    schemes = weighting_schemes(particles, [Half()], largest_radius_px=7, most=2)
    assert [scheme.n_particles for scheme in schemes] == [3, 2]
    assert "3 weighting schemes, 2 most frequent shown" in caplog.text
