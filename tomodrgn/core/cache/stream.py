"""Batches of coefficients on the device, wherever the cache is held.

Held on the device, a batch is one gather. Otherwise threads fill a ring of buffers a few batches
ahead, from memory or from the file, while the caller computes; on a GPU the buffers are pinned and
copied on a side stream. All ways give the same numbers, bit for bit. Nothing is opened or started
before the first batch is asked for, so a source may be pickled or forked; everything is closed
when the iteration ends, however it ends.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from tomodrgn.core.cache.fetch import MemoryFetch, load, open_file
from tomodrgn.core.cache.normalisation import Normalisation
from tomodrgn.core.cache.slots import Slot, build_upload
from tomodrgn.core.device_transfer import send

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.cache.fetch import Fetch
    from tomodrgn.core.cache.residency import Residency
    from tomodrgn.core.cache.slots import Arrival
    from tomodrgn.core.cache.store import CoefficientCache


class ImageSource(Protocol):
    """Normalized coefficients of images, by cache row."""

    def batches(self, requests: Iterable[NDArray[np.int64]]) -> Iterator[Tensor]:
        """Coefficients for each request, in order.

        Args:
            requests: cache rows (M,) of one batch each; rows of a particle ascend and are
                adjacent. May be lazy: it is read only as far ahead as batches are fetched.

        Yields:
            (M, P, 2) float32 on the device, the caller's own.
        """


def open_images(
    cache: CoefficientCache,
    residency: Residency,
    device: torch.device,
    *,
    shift: float,
    scale: float,
    readers: int = 3,
    prefetch: int = 4,
) -> ImageSource:
    """A source of normalized coefficients, held where the residency says.

    Args:
        cache: the stored coefficients.
        residency: where they are held.
        device: where they are used.
        shift: subtracted from the real part of the transforms.
        scale: what the transforms are divided by; ``cache.rms`` unless the user gave another.
        readers: threads that fetch ahead.
        prefetch: batches fetched ahead.
    """
    normalise = Normalisation(shift=shift, scale=scale, stored_scale=cache.header.scale)
    held = None
    if residency.kind != "stream":
        held = load(cache, device if residency.kind == "device" else torch.device("cpu"))
        if held.device.type == device.type:
            return HeldImages(held, normalise)
    return FetchedImages(cache, held, device, normalise, readers, prefetch)


@dataclass(frozen=True, slots=True)
class HeldImages:
    """Coefficients that lie on the device where they are used."""

    held: Tensor
    normalise: Normalisation

    def batches(self, requests: Iterable[NDArray[np.int64]]) -> Iterator[Tensor]:
        """See :class:`ImageSource`."""
        for rows in requests:
            where = send(rows, self.held.device)
            yield self.normalise(self.held.index_select(0, where))


@dataclass(frozen=True, slots=True)
class FetchedImages:
    """Coefficients that are fetched ahead from memory (``held``) or from the file."""

    cache: CoefficientCache
    held: Tensor | None
    device: torch.device
    normalise: Normalisation
    readers: int
    prefetch: int

    def batches(self, requests: Iterable[NDArray[np.int64]]) -> Iterator[Tensor]:
        """See :class:`ImageSource`."""
        process = os.getpid()
        upload = build_upload(self.device, self.normalise)
        with self._source() as fetch, _threads(self.readers) as pool:
            arrivals: deque[Arrival] = deque()
            for slot in self._filled_slots(pool, fetch, requests):
                arrivals.append(upload(slot))
                if len(arrivals) > upload.ahead:
                    yield arrivals.popleft().receive()
                    _require_process(process)
            while arrivals:
                yield arrivals.popleft().receive()

    def _filled_slots(
        self, pool: ThreadPoolExecutor, fetch: Fetch, requests: Iterable[NDArray[np.int64]]
    ) -> Iterator[Slot]:
        """Slots with the rows of each request, filled ahead; each is used again afterwards."""
        header = self.cache.header
        free = deque(
            Slot(header.n_coefficients, header.dtype, pinned=self.device.type == "cuda")
            for _ in range(self.prefetch)
        )
        coming: deque[Future[Slot]] = deque()
        for rows in requests:
            coming.append(pool.submit(free.popleft().take(rows).fill, fetch, rows))
            if not free:
                slot = coming.popleft().result()
                yield slot
                free.append(slot)
        for future in coming:
            yield future.result()

    def _source(self) -> AbstractContextManager[Fetch]:
        """Reads from memory, or from the file while the block runs."""
        return open_file(self.cache) if self.held is None else nullcontext(MemoryFetch(self.held))


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that are gone when the block ends, their waiting work dropped."""
    pool = ThreadPoolExecutor(count, thread_name_prefix="coefficients")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _require_process(process: int) -> None:
    """Refuse to go on in a forked child, where the threads do not exist."""
    if os.getpid() != process:
        raise RuntimeError("an iteration over images cannot go on in a forked process")
