from __future__ import annotations

import numpy as np
import pytest

from tests.core.training.conftest import make_particles
from tomodrgn.core.particles.tables import ParticleSet
from tomodrgn.core.training.sampling import Batch, Sampler


def sampler(particles: ParticleSet, n_tilts: int | None = None) -> Sampler:
    kept = np.full(particles.n_images, 10)
    return Sampler(particles, kept=kept, usable=None, sample_ntilts=n_tilts, seed=3)


def drawn(particles: ParticleSet, batch: Batch) -> dict[str, set[str]]:
    owner = np.repeat(batch.particles, batch.counts)
    names = particles.image_name[batch.images]
    return {str(particles.name[row]): set(names[owner == row]) for row in batch.particles}


def test_an_epoch_uses_every_image_of_every_particle_once(particles: ParticleSet) -> None:
    batches = list(sampler(particles).epoch(0, batch_size=3))
    images = np.concatenate([batch.images for batch in batches])
    assert sorted(images) == list(range(particles.n_images))
    assert sum(batch.n_coefficients for batch in batches) == 10 * particles.n_images


def test_epochs_have_different_orders(particles: ParticleSet) -> None:
    first, second = (next(sampler(particles).epoch(e, batch_size=7)).particles for e in (0, 1))
    assert first.tolist() != second.tolist()


def test_images_of_a_batch_are_packed_and_ascend_in_dose(particles: ParticleSet) -> None:
    for batch in sampler(particles, 4).epoch(5, batch_size=4):
        owner = np.repeat(batch.particles, batch.counts)
        assert np.array_equal(particles.particle_of_image[batch.images], owner)
        dose = particles.images.dose_e_per_a2[batch.images]
        assert np.all(np.diff(dose)[np.diff(owner) == 0] > 0)


def test_sampling_draws_the_number_asked_for_where_there_are_as_many(
    particles: ParticleSet,
) -> None:
    for batch in sampler(particles, 5).epoch(0, batch_size=2):
        assert np.array_equal(batch.counts, np.minimum(particles.counts[batch.particles], 5))


def test_choices_follow_the_particle_and_not_its_row(particles: ParticleSet) -> None:
    batch = next(sampler(particles, 3).epoch(2, batch_size=7))
    counts = [5, 8, 3, 11, 6, 5, 7]
    order = [6, 0, 3, 2, 5, 1, 4]
    shuffled = make_particles([counts[i] for i in order])
    names = np.split(particles.image_name, particles.starts[1:-1])
    object.__setattr__(shuffled, "image_name", np.concatenate([names[i] for i in order]))
    object.__setattr__(shuffled, "name", particles.name[order])
    object.__setattr__(shuffled, "tomogram", particles.tomogram[order])
    again = next(sampler(shuffled, 3).epoch(2, batch_size=7))
    assert drawn(particles, batch) == drawn(shuffled, again)
    assert list(particles.name[batch.particles]) == list(shuffled.name[again.particles])
    noise = [
        sampler(which).noise(rows, 2, 4) for which, rows in ((particles, batch), (shuffled, again))
    ]
    np.testing.assert_array_equal(*noise)


@pytest.mark.parametrize("n_ranks", [2, 3, 8])
def test_processes_share_every_batch(particles: ParticleSet, n_ranks: int) -> None:
    whole = list(sampler(particles, 4).epoch(1, batch_size=3))
    shares = [
        list(sampler(particles, 4).epoch(1, batch_size=3, rank=rank, n_ranks=n_ranks))
        for rank in range(n_ranks)
    ]
    for index, batch in enumerate(whole):
        parts = [share[index] for share in shares]
        assert sorted(np.concatenate([p.images for p in parts])) == sorted(batch.images)
        assert sorted(np.concatenate([p.particles for p in parts])) == sorted(batch.particles)
        for part in parts:
            owner = np.repeat(part.particles, part.counts)
            assert np.array_equal(particles.particle_of_image[part.images], owner)
        assert {part.n_coefficients for part in parts} == {batch.n_coefficients}


def test_an_epoch_can_go_on_in_the_middle(particles: ParticleSet) -> None:
    whole = list(sampler(particles).epoch(0, batch_size=2))
    rest = list(sampler(particles).epoch(0, batch_size=2, skip=2))
    assert [b.images.tolist() for b in rest] == [b.images.tolist() for b in whole[2:]]


def test_embedding_takes_the_first_images_by_dose(particles: ParticleSet) -> None:
    (batch,) = sampler(particles, 3).in_order(100)
    expected = particles.starts[:-1, None] + np.arange(3)
    assert batch.images.tolist() == expected.ravel().tolist()


def test_unusable_images_are_never_drawn(particles: ParticleSet) -> None:
    usable = np.arange(particles.n_images) % 2 == 0
    one = Sampler(
        particles, kept=np.ones(len(usable), int), usable=usable, sample_ntilts=None, seed=0
    )
    images = np.concatenate([batch.images for batch in one.epoch(0, batch_size=2)])
    assert sorted(images) == np.flatnonzero(usable).tolist()
