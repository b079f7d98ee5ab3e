"""Selections keep what they say, count the rest, and stay packed."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.particles.selection import override_dose, select, take_images, take_particles
from tomodrgn.core.particles.tilt_counts import describe_fewest
from tomodrgn.core.specs.dataset import DatasetSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tomodrgn.core.particles.tables import ParticleSet

    Keys = Callable[[ParticleSet], list[tuple[str, str, str]]]


def _write_indices(path: Path, indices: list[int]) -> Path:
    path.write_bytes(pickle.dumps(np.array(indices)))
    return path


def _assert_sound(particles: ParticleSet) -> None:
    assert particles.rows_read == particles.n_images + sum(particles.rejected.values())
    same = np.diff(particles.particle_of_image) == 0
    assert (np.diff(particles.images.dose_e_per_a2)[same] >= 0).all()
    assert (particles.counts > 0).all()
    assert len(particles.name) == len(particles.tomogram) == particles.n_particles
    names = [f"{int(image)}@s.mrcs" for image in particles.images.shift_px[:, 0]]
    assert particles.image_name.tolist() == names


def test_no_selection_keeps_everything(particles: ParticleSet) -> None:
    assert select(particles, DatasetSpec(), 0) is particles


@pytest.mark.parametrize(
    ("options", "images"),
    [
        ({"use_first_ntilts": 2}, [0, 1, 4, 5, 6, 7]),
        ({"use_first_ntilts": 3}, [0, 1, 2, 4, 5, 6, 7, 8]),
        ({"use_first_ntilts": 3, "min_tilts": 3}, [0, 1, 2, 6, 7, 8]),
        ({"min_tilts": 3}, [0, 1, 2, 3, 6, 7, 8]),
        ({"use_first_ntilts": 2, "sort_ptcl_imgs": "unsorted"}, [2, 3, 4, 5, 7, 8]),
        ({"use_first_nptcls": 1}, [0, 1, 2, 3]),
        ({"use_first_nptcls": 9}, list(range(9))),
        ({"use_first_ntilts": 3, "use_first_nptcls": 2}, [0, 1, 2, 4, 5]),
        ({"min_tilts": 3, "use_first_nptcls": 2}, [0, 1, 2, 3, 6, 7, 8]),
        ({"ind": [2, 0]}, [0, 1, 2, 3, 6, 7, 8]),
        ({"ind_imgs": [8, 0, 2]}, [1, 3, 6]),
        ({"ind_imgs": [0, 1, 4], "ind": [0]}, [2, 3]),
        ({"ind_imgs": [0, 1, 4], "use_first_ntilts": 2}, [5]),
        ({"dose_override": 2.0, "use_first_ntilts": 2}, [3, 2, 5, 4, 8, 7]),
    ],
)
def test_selections_keep_what_they_say(
    options: dict[str, Any], images: list[int], particles: ParticleSet, tmp_path: Path
) -> None:
    for name in ("ind", "ind_imgs"):
        if name in options:
            options = {**options, name: _write_indices(tmp_path / f"{name}.pkl", options[name])}
    selected = select(particles, DatasetSpec(**options), 0)
    assert selected.images.shift_px[:, 0].tolist() == images
    _assert_sound(selected)


def test_random_tilts_follow_the_names_and_the_seed(
    particles: ParticleSet, shuffled_particles: ParticleSet, key_of_image: Keys
) -> None:
    spec = DatasetSpec(sort_ptcl_imgs="random", use_first_ntilts=2)
    one, other = (select(p, spec, 1) for p in (particles, shuffled_particles))
    _assert_sound(one)
    assert set(key_of_image(one)) == set(key_of_image(other))
    draws = {tuple(key_of_image(select(particles, spec, seed))) for seed in range(20)}
    assert len(draws) > 3


def test_particles_with_too_few_tilts_are_counted(particles: ParticleSet) -> None:
    selected = select(particles, DatasetSpec(use_first_ntilts=3, min_tilts=3), 0)
    assert selected.name.tolist() == ["p0", "p0"]
    assert selected.tomogram.tolist() == ["a", "b"]
    assert selected.source_particle.tolist() == [0, 2]
    assert selected.rejected == {
        "dark": 1,
        "particle with fewer than 3 tilt images": 2,
        "exposure after the first 3": 1,
    }


def test_an_overridden_dose_grows_along_the_rows_of_the_input(particles: ParticleSet) -> None:
    changed = override_dose(particles, 1.5)
    _assert_sound(changed)
    assert changed.source_image.tolist() == list(range(9))
    assert changed.images.dose_e_per_a2.tolist() == [1.5, 3, 4.5, 6, 1.5, 3, 1.5, 3, 4.5]


def test_dose_is_overridden_before_images_are_dropped(
    particles: ParticleSet, tmp_path: Path
) -> None:
    spec = DatasetSpec(dose_override=1.5, ind_imgs=_write_indices(tmp_path / "i.pkl", [2, 3]))
    assert select(particles, spec, 0).images.dose_e_per_a2.tolist() == [4.5, 6]


def test_taking_every_image_copies_nothing(particles: ParticleSet) -> None:
    assert take_images(particles, np.ones(particles.n_images, bool), "none") is particles


def test_taking_images_in_two_steps_equals_taking_them_in_one(particles: ParticleSet) -> None:
    first = np.array([True, False, True, True, False, True, True, False, True])
    second = np.array([True, True, False, True, False, True])
    both = np.zeros(9, dtype=bool)
    both[np.flatnonzero(first)[second]] = True
    stepwise = take_images(take_images(particles, first, "x"), second, "x")
    at_once = take_images(particles, both, "x")
    assert stepwise.image_name.tolist() == at_once.image_name.tolist()
    assert stepwise.counts.tolist() == at_once.counts.tolist()
    assert stepwise.rejected == at_once.rejected


@pytest.mark.parametrize(
    ("option", "indices", "match"),
    [
        (
            "ind",
            [0, 3],
            r"index 3 is out of range \(1 such\); the input has 3 particles, .* 0 to 2",
        ),
        ("ind", [-1], "index -1 is out of range"),
        ("ind", [1, 1], "index 1 is there 2 times"),
        ("ind", [0.5], "0.5 is not a whole number"),
        ("ind_imgs", [10], "index 10 is out of range .* 10 images, indices are 0 to 9"),
        ("ind", [], "no particles are left"),
    ],
)
def test_indices_that_do_not_fit_are_refused(
    option: str, indices: list[float], match: str, particles: ParticleSet, tmp_path: Path
) -> None:
    path = _write_indices(tmp_path / "ind.pkl", indices)
    with pytest.raises(DataError, match=match):
        select(particles, DatasetSpec(**{option: path}), 0)


def test_a_selection_without_particles_is_refused(particles: ParticleSet) -> None:
    with pytest.raises(DataError, match="no particles are left"):
        select(particles, DatasetSpec(min_tilts=5), 0)


def test_particles_without_images_can_be_taken(particles: ParticleSet) -> None:
    none = np.zeros(0, dtype=np.int64)
    everyone = np.arange(particles.n_particles)
    bare = replace(
        particles,
        counts=np.zeros(particles.n_particles, dtype=np.int64),
        **particles.take_rows(everyone, none),
    )
    kept = take_particles(bare, np.array([True, False, True]), "not wanted")
    assert kept.n_particles == 2
    assert kept.name.tolist() == [particles.name[0], particles.name[2]]
    assert kept.rejected["not wanted"] == 1


def test_particles_with_few_tilts_are_named_the_fewest_first(particles: ParticleSet) -> None:
    assert describe_fewest(particles, particles.counts) == (
        "1 of 3 particles has fewer than 3 tilt images: p1 of a (2)"
    )
    assert describe_fewest(particles, particles.counts, 4) == (
        "2 of 3 particles have fewer than 4 tilt images: p1 of a (2), p0 of b (3)"
    )
