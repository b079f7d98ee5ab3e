"""Exposures are those of the tilt series, whichever of them a particle or a file lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tomodrgn.core.particles.exposures import exposure_numbers
from tomodrgn.core.particles.selection import select
from tomodrgn.core.particles.tables import ImageTable, ParticleSet
from tomodrgn.core.specs.dataset import DatasetSpec

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture
def make(particles: ParticleSet):
    """A set of particles with some doses each, in some tomograms."""

    def build(doses: Sequence[Sequence[float]], tomogram: Sequence[str]) -> ParticleSet:
        counts = np.array([len(part) for part in doses])
        flat = np.concatenate(doses).astype(np.float32)
        n, b = len(flat), len(doses)
        zeros = np.zeros(n, np.float32)
        images = ImageTable(
            rotation=np.broadcast_to(np.eye(3, dtype=np.float32), (n, 3, 3)),
            shift_px=np.zeros((n, 2), np.float32),
            dose_e_per_a2=flat,
            tilt_deg=zeros,
            voltage_kv=zeros + 300,
            optics=np.zeros(n, np.int64),
        )
        return ParticleSet(
            source=particles.source,
            tomogram=np.array(list(tomogram), dtype=object),
            name=np.array([f"p{i}" for i in range(b)], dtype=object),
            source_particle=np.arange(b),
            images=images,
            counts=counts,
            image_name=np.array([f"{i}@s" for i in range(n)], dtype=object),
            source_image=np.arange(n),
            optics=particles.optics,
            rows_read=n,
        )

    return build


def _numbers(particles: ParticleSet) -> list[list[int]]:
    parts = np.split(exposure_numbers(particles), particles.starts[1:-1])
    return [part.tolist() for part in parts]


def test_a_particle_that_lacks_an_exposure_keeps_the_numbers_of_the_others(make) -> None:
    uneven = [1.0, 3.0, 3.5, 7.0, 9.0]
    lacking = [dose for dose in uneven if dose != 3.5]
    assert _numbers(make([uneven, lacking, [9.0]], "aaa")) == [[0, 1, 2, 3, 4], [0, 1, 3, 4], [4]]


def test_dark_exposures_count(make) -> None:
    dark = replace(make([[1.0, 7.0, 9.0]], "a"), exposure_doses={"a": np.array([3.0, 3.5])})
    assert _numbers(dark) == [[0, 3, 4]]


def test_even_steps_tell_exposures_that_are_in_no_row(make) -> None:
    assert _numbers(make([[3, 6, 12, 15, 18]], "a")) == [[0, 1, 3, 4, 5]]
    later = make([[3, 6, 9, 12], [6, 9, 12], [4.2, 7.2, 10.2]], "abc")
    assert _numbers(later) == [[0, 1, 2, 3], [1, 2, 3], [0, 1, 2]]


def test_tilt_series_of_other_doses_are_counted_by_themselves(make) -> None:
    both = [[2, 4, 6, 8], [3, 6, 9, 12]]
    for tomograms in ("ab", ["", ""]):
        assert _numbers(make(both, tomograms)) == [[0, 1, 2, 3]] * 2


def test_roundings_of_doses_make_no_exposures(make) -> None:
    assert _numbers(make([[1.0, 3.001, 3.9], [1.002, 3.0, 3.9]], "aa")) == [[0, 1, 2]] * 2


def test_equal_doses_tell_nothing(make) -> None:
    assert exposure_numbers(make([[0, 0, 0], [0, 0]], "aa")) is None


def test_the_first_exposures_are_kept_of_particles_that_lack_one(make) -> None:
    doses = [[3, 6, 9, 12, 15], [3, 6, 12, 15], [15]]
    selected = select(make(doses, "aaa"), DatasetSpec(use_first_ntilts=4), 0)
    assert selected.counts.tolist() == [4, 3]
    assert selected.rejected == {"exposure after the first 4": 3}
    even = select(make(doses, "aaa"), DatasetSpec(use_first_ntilts=4, min_tilts=4), 0)
    assert even.counts.tolist() == [4]
    assert even.rejected["particle with fewer than 4 tilt images"] == 3


def test_exposures_count_whatever_else_is_left_out(make) -> None:
    cut = select(
        make([[3, 6, 9, 12, 15]] * 2, "aa"), DatasetSpec(use_first_ntilts=3, max_dose_e_per_a2=6), 0
    )
    assert cut.counts.tolist() == [2, 2]
