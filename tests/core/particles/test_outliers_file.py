"""What was found of particles is read as it was written, whatever the order of particles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.particles.outliers_file import (
    AMPLITUDE,
    JUNK_PROBABILITY,
    RARE_PROBABILITY,
    copy_outliers,
    groups_of,
    outlier_covariates,
    read_outliers,
    write_outliers,
)
from tomodrgn.core.particles.selection import take_particles

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.particles.tables import ParticleSet


def _columns(n: int) -> dict[str, np.ndarray]:
    junk = np.linspace(0, 1, n).round(6)
    return {JUNK_PROBABILITY: junk, AMPLITUDE: 1 - junk, RARE_PROBABILITY: junk[::-1].copy()}


def test_part_of_the_particles_finds_its_rows(particles: ParticleSet, tmp_path: Path) -> None:
    columns = _columns(particles.n_particles)
    write_outliers(tmp_path, particles, columns, groups_of(columns))
    mask = np.arange(particles.n_particles) % 2 == 1
    found = read_outliers(tmp_path, take_particles(particles, mask, "even"))
    assert found is not None
    for name, values in columns.items():
        np.testing.assert_array_equal(found[name], values[mask])


def test_particles_that_are_not_in_the_run_are_named_so(
    particles: ParticleSet, tmp_path: Path
) -> None:
    mask = np.arange(particles.n_particles) > 0
    some = take_particles(particles, mask, "first")
    columns = _columns(some.n_particles)
    write_outliers(tmp_path, some, columns, groups_of(columns))
    names = (tmp_path / "groups.txt").read_text().split()
    assert len(names) == particles.n_source_particles
    assert names[int(particles.source_particle[0])] == "left_out"
    np.testing.assert_array_equal(np.array(names)[some.source_particle], groups_of(columns))


def test_junk_comes_before_what_is_rare() -> None:
    both = {JUNK_PROBABILITY: np.array([0.9, 0.1, 0.2]), RARE_PROBABILITY: np.array([0.9, 0.9, 0])}
    assert groups_of(both).tolist() == ["junk", "rare", "particle"]


def test_a_run_that_starts_from_another_knows_its_outliers(
    particles: ParticleSet, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert outlier_covariates(first, particles) == {}
    columns = _columns(particles.n_particles)
    write_outliers(first, particles, columns, groups_of(columns))
    copy_outliers(first, second, particles)
    assert (second / "outliers.star").read_text() == (first / "outliers.star").read_text()
    assert list(outlier_covariates(second, particles)) == ["junk probability"]
