"""Latents of all particles: deterministic, whatever the batch size or the order of rows."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.model.volume_model import VolumeModel
    from tomodrgn.core.training.sampling import Batch, Sampler
    from tomodrgn.core.training.tilt_batch import TiltBatchBuilder


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
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and log variance of the latents of every particle, (B, Z) each, in the set's order."""
    means, log_variances = [], []
    for batch, coefficients in with_coefficients(sampler.in_order(batch_size), source, cache_rows):
        tilts = builder.build(batch, coefficients)
        with autocast():
            posterior = model.embed(tilts.encoder_input(), tilts.counts)
        means.append(posterior.mean.float().cpu())
        log_variances.append(posterior.log_variance.float().cpu())
    return torch.cat(means).numpy(), torch.cat(log_variances).numpy()
