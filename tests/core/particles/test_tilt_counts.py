"""Sets in which every particle has one tilt image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.particles.selection import select
from tomodrgn.core.particles.tilt_counts import have_one_tilt_each, require_tilts
from tomodrgn.core.specs.dataset import DatasetSpec

if TYPE_CHECKING:
    from tomodrgn.core.particles.tables import ParticleSet


def test_one_tilt_image_of_each_particle_is_refused(particles: ParticleSet) -> None:
    single = select(particles, DatasetSpec(use_first_ntilts=1), 0)
    assert have_one_tilt_each(single)
    with pytest.raises(
        DataError, match=r"every particle has one tilt image \(3 particles\), .*rln"
    ):
        require_tilts(single)


def test_a_second_tilt_image_of_any_particle_is_enough(particles: ParticleSet) -> None:
    require_tilts(particles)
    assert not have_one_tilt_each(particles)
