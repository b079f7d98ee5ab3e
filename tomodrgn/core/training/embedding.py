"""Latents of all particles: deterministic, whatever the batch size or the order of rows."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.training.devices import Devices
    from tomodrgn.core.training.sampling import Batch, Sampler
    from tomodrgn.core.training.tilt_batch import TiltBatchBuilder

EMBEDDING_BATCH: Final = 64
"""Particles that are encoded at once."""


class CoefficientSource(Protocol):
    """Where the coefficients of images come from: device, memory or file."""

    def batches(self, requests: Iterable[NDArray[np.int64]]) -> Iterator[Tensor]:
        """(M, P, 2) on the device for each request of (M,) cache rows, read ahead."""


def with_coefficients(
    batches: Iterable[Batch], source: CoefficientSource, cache_rows: NDArray[np.int64]
) -> Iterator[tuple[Batch, Tensor]]:
    """Each batch with the coefficients of its images.

    Args:
        batches: drawn lazily, as far ahead as the source reads.
        source: where coefficients come from.
        cache_rows: (M,) place of every image of the set in the cache.
    """
    waiting: deque[Batch] = deque()

    def requests() -> Iterator[NDArray[np.int64]]:
        for batch in batches:
            waiting.append(batch)
            yield cache_rows[batch.images]

    for coefficients in source.batches(requests()):
        yield waiting.popleft(), coefficients


@torch.no_grad()
def embed_particles(
    model: VolumeModel,
    sampler: Sampler,
    builder: TiltBatchBuilder,
    source: CoefficientSource,
    cache_rows: NDArray[np.int64],
    *,
    batch_size: int,
    autocast: Callable[[], AbstractContextManager[object]],
    rows: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and log variance of the latents of particles, (B, Z) each.

    Args:
        model: the volume model.
        sampler: chooses images.
        builder: puts batches on the device.
        source: coefficients of images.
        cache_rows: (M,) place of every image of the set in the cache.
        batch_size: particles at once.
        autocast: context in which the networks run.
        rows: which particles; all, in the order of the set, by default.
    """
    means, log_variances = [], []
    batches = sampler.in_order(batch_size, rows)
    for batch, coefficients in with_coefficients(batches, source, cache_rows):
        tilts = builder.build(batch, coefficients)
        with autocast():
            posterior = model.embed(tilts.encoder_input(), tilts.counts, tilts.longest)
        means.append(posterior.mean.float())
        log_variances.append(posterior.log_variance.float())
    return torch.cat(means).cpu().numpy(), torch.cat(log_variances).cpu().numpy()


def embed_together(
    model: VolumeModel,
    sampler: Sampler,
    builder: TiltBatchBuilder,
    source: CoefficientSource,
    cache_rows: NDArray[np.int64],
    *,
    batch_size: int,
    latent_dim: int,
    devices: Devices,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and log variance (B, Z) of all particles in every process; each embeds a share."""
    rows = sampler.share_in_order(devices.rank, devices.n_ranks)
    found = torch.zeros(2, sampler.particles.n_particles, latent_dim)
    with devices.agreement():
        if len(rows):
            mine = embed_particles(
                model,
                sampler,
                builder,
                source,
                cache_rows,
                batch_size=batch_size,
                autocast=devices.autocast,
                rows=rows,
            )
            found[:, rows[0] : rows[-1] + 1] = torch.from_numpy(np.stack(mine))
    everyone = found.to(devices.device)
    devices.sum_over_processes([everyone])
    mean, log_variance = everyone.cpu().numpy()
    return mean, log_variance
