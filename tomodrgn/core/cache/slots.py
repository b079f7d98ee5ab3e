"""Buffers between fetching threads and the device, and the copy to the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import torch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.cache.fetch import Fetch
    from tomodrgn.core.cache.normalisation import Normalisation


class Slot:
    """A buffer that is filled by a thread, copied to the device and filled again.

    Attributes:
        batch: (M, P, 2) stored coefficients of the last request.
        copied: set by the upload: when the device has read ``batch``.
    """

    def __init__(
        self, n_coefficients: int, dtype: Literal["float16", "float32"], *, pinned: bool
    ) -> None:
        number = torch.float16 if dtype == "float16" else torch.float32
        self._pinned = pinned
        self._buffer = torch.empty((0, n_coefficients, 2), dtype=number)
        self.batch = self._buffer
        self.copied: torch.cuda.Event | None = None

    def take(self, rows: NDArray[np.int64]) -> Slot:
        """Make room for rows (M,); called by the thread that hands out batches.

        Threads that come and go should own no memory that lives longer than they do.
        """
        if len(rows) > len(self._buffer):
            shape = (len(rows), *self._buffer.shape[1:])
            self._buffer = torch.empty(shape, dtype=self._buffer.dtype, pin_memory=self._pinned)
        self.batch = self._buffer[: len(rows)]
        return self

    def fill(self, fetch: Fetch, rows: NDArray[np.int64]) -> Slot:
        """Fetch rows (M,) into ``batch``, once the device is done with those before."""
        if self.copied is not None:
            self.copied.synchronize()
        fetch(rows, self.batch)
        return self


class Arrival(Protocol):
    """A batch that is on its way to the device."""

    def receive(self) -> Tensor:
        """The batch (M, P, 2), safe to use on the current stream."""


class Upload(Protocol):
    """Sends the batch of a slot to the device, normalized."""

    @property
    def ahead(self) -> int:
        """Batches that are worth sending before the caller asks for them."""

    def __call__(self, slot: Slot) -> Arrival:
        """Begin to copy; ``slot.copied`` says when the slot may be filled again."""


@dataclass(frozen=True, slots=True)
class HostArrival:
    """A batch in memory: there at once."""

    batch: Tensor

    def receive(self) -> Tensor:
        """See :class:`Arrival`."""
        return self.batch


@dataclass(frozen=True, slots=True)
class HostUpload:
    """Normalizes into memory of the batch's own."""

    normalise: Normalisation
    ahead: int = 0

    def __call__(self, slot: Slot) -> HostArrival:
        """See :class:`Upload`."""
        return HostArrival(self.normalise(slot.batch))


@dataclass(frozen=True, slots=True)
class StreamArrival:
    """A batch that a side stream copies and normalizes."""

    batch: Tensor
    done: torch.cuda.Event

    def receive(self) -> Tensor:
        """See :class:`Arrival`."""
        current = torch.cuda.current_stream(self.batch.device)
        current.wait_event(self.done)
        self.batch.record_stream(current)  # its memory came from the side stream
        return self.batch


@dataclass(frozen=True, slots=True)
class StreamUpload:
    """Copies and normalizes on a stream of its own, beside the caller's computation."""

    normalise: Normalisation
    stream: torch.cuda.Stream
    ahead: int = 1

    def __call__(self, slot: Slot) -> StreamArrival:
        """See :class:`Upload`."""
        with torch.cuda.stream(self.stream):
            stored = slot.batch.to(self.stream.device, non_blocking=True)
            slot.copied = self.stream.record_event()
            batch = self.normalise(stored)
            return StreamArrival(batch, self.stream.record_event())


def build_upload(device: torch.device, normalise: Normalisation) -> Upload:
    """The way from a slot to a device."""
    if device.type == "cuda":
        return StreamUpload(normalise, torch.cuda.Stream(device))
    if device.type == "cpu":
        return HostUpload(normalise)
    raise ValueError(f"images go to cpu or cuda, not {device.type}")
