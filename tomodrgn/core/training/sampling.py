"""Which particles and tilt images make up each batch of an epoch.

Every choice depends on (seed, epoch, particle key) or (seed, epoch, image key): never on the order
of rows, the batch size or the number of processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tomodrgn.core.particles.keyed_random import (
    join_keys,
    keyed_normal,
    keyed_uniform,
    particle_keys,
    text_keys,
)
from tomodrgn.core.training.sharing import deal, neighbors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tomodrgn.core.particles.tables import ParticleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows of a particle set that are used together.

    Attributes:
        particles: (B,) particle rows.
        images: (M,) image rows, packed by particle, ascending dose within a particle.
        counts: (B,) images of each particle.
        n_coefficients: kept coefficients of the whole batch over all processes.
    """

    particles: NDArray[np.int64]
    images: NDArray[np.int64]
    counts: NDArray[np.int64]
    n_coefficients: int


class Sampler:
    """Draws batches of a particle set.

    Args:
        particles: the set.
        kept: (M,) coefficients that the loss keeps of each image.
        usable: (M,) bool, images that may be drawn; every image by default.
        sample_ntilts: images drawn per particle and epoch; all of them by default.
        seed: seed of the run.
    """

    def __init__(
        self,
        particles: ParticleSet,
        *,
        kept: NDArray[np.int64],
        usable: NDArray[np.bool_] | None,
        sample_ntilts: int | None,
        seed: int,
    ) -> None:
        self.particles = particles
        self.kept = kept
        self.usable = np.ones(particles.n_images, bool) if usable is None else usable
        self.sample_ntilts = sample_ntilts
        self.seed = seed
        self.keys = particle_keys(particles.tomogram, particles.name)
        self.image_keys = join_keys(
            self.keys[particles.particle_of_image], text_keys(particles.image_name)
        )

    def epoch(
        self, epoch: int, *, batch_size: int, rank: int = 0, n_ranks: int = 1, skip: int = 0
    ) -> Iterator[Batch]:
        """Batches of one epoch in random order; each process gets its share of every batch.

        Args:
            epoch: counted from 0.
            batch_size: particles per batch, over all processes together.
            rank: which process this is.
            n_ranks: number of processes.
            skip: batches left out at the start, for a run that goes on within an epoch.
        """
        order = np.argsort(keyed_uniform(self.seed, "order", epoch, self.keys, 1)[:, 0])
        for start in range(skip * batch_size, len(order), batch_size):
            batch = self._rows(order[start : start + batch_size], epoch)
            yield batch if n_ranks == 1 else self._share(batch, rank, n_ranks)

    def in_order(self, batch_size: int, rows: NDArray[np.int64] | None = None) -> Iterator[Batch]:
        """Particles in their order, every usable image or the first by ascending dose.

        Args:
            batch_size: particles per batch.
            rows: (n,) which particles; all by default.
        """
        rows = np.arange(self.particles.n_particles) if rows is None else rows
        for start in range(0, len(rows), batch_size):
            yield self._rows(rows[start : start + batch_size], None)

    def share_in_order(
        self, rank: int, n_ranks: int, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """Adjacent particles of one process, images being about even over processes.

        Args:
            rank: which process this is.
            n_ranks: number of processes.
            rows: (n,) which particles are shared out; all by default.
        """
        rows = np.arange(self.particles.n_particles) if rows is None else rows
        return rows[neighbors(self.particles.counts[rows], rank, n_ranks)]

    def with_all_tilts(self) -> Sampler:
        """The same without a limit to the images of a particle."""
        return Sampler(
            self.particles, kept=self.kept, usable=self.usable, sample_ntilts=None, seed=self.seed
        )

    def noise(self, batch: Batch, epoch: int, latent_dim: int) -> NDArray[np.float32]:
        """(B, Z) standard normal numbers of a batch."""
        return keyed_normal(self.seed, "latent", epoch, self.keys[batch.particles], latent_dim)

    def _rows(self, particles: NDArray[np.int64], epoch: int | None) -> Batch:
        """The images of the particles given; ``epoch`` None takes the first by dose."""
        starts, counts = self.particles.starts[particles], self.particles.counts[particles]
        owner = np.repeat(np.arange(len(particles)), counts)
        first_of_owner = np.cumsum(counts) - counts
        images = np.arange(counts.sum()) - np.repeat(first_of_owner - starts, counts)
        usable = self.usable[images]
        images, owner = images[usable], owner[usable]
        if self.sample_ntilts is not None:
            chosen = self._choose(images, owner, epoch, self.sample_ntilts)
            images, owner = images[chosen], owner[chosen]
        return Batch(
            particles=particles,
            images=images,
            counts=np.bincount(owner, minlength=len(particles)),
            n_coefficients=int(self.kept[images].sum()),
        )

    def _share(self, batch: Batch, rank: int, n_ranks: int) -> Batch:
        """The particles of a batch that one process takes: coefficients are about even."""
        owner = np.repeat(np.arange(len(batch.particles)), batch.counts)
        kept = np.bincount(owner, self.kept[batch.images], minlength=len(batch.particles))
        share = deal(kept.astype(np.int64), rank, n_ranks)
        return Batch(
            particles=batch.particles[share],
            images=batch.images[np.isin(owner, share)],
            counts=batch.counts[share],
            n_coefficients=batch.n_coefficients,
        )

    def _choose(
        self, images: NDArray[np.int64], owner: NDArray[np.int64], epoch: int | None, n_tilts: int
    ) -> NDArray[np.int64]:
        """Positions of ``n_tilts`` images of each owner, ascending."""
        if epoch is None:
            order = np.arange(len(images))
        else:
            luck = keyed_uniform(self.seed, "tilts", epoch, self.image_keys[images], 1)[:, 0]
            order = np.lexsort([luck, owner])
        counts = np.bincount(owner)
        rank = np.arange(len(images)) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.sort(order[rank < n_tilts])
