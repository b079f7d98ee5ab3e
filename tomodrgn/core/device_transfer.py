"""Numbers that cross between host and device, neither of which waits for the other.

A plain copy to or from a GPU returns once the GPU has done everything it was asked to do before.
From pinned memory a copy is only asked for, and the host goes on. On a CPU nothing is copied.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.particles.tables import ImageTable

_ALIGNMENT: Final = 16
"""Bytes whose multiples suit every number type."""


def send(array: NDArray[Any], device: torch.device) -> Tensor:
    """The numbers of an array of any shape on a device."""
    tensor = torch.from_numpy(array)
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def send_all(arrays: Sequence[NDArray[Any]], device: torch.device) -> list[Tensor]:
    """Numbers of arrays of any shape on a device, sent together, which takes no longer than one."""
    if device.type == "cpu":
        return [torch.from_numpy(array) for array in arrays]
    sizes = [-(-array.nbytes // _ALIGNMENT) * _ALIGNMENT for array in arrays]
    places = np.cumsum([0, *sizes]).tolist()
    packed = np.zeros(places[-1], np.uint8)
    for array, (place, end) in zip(arrays, pairwise(places), strict=True):
        packed[place:end][: array.nbytes] = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
    there = send(packed, device)
    return [
        there[place : place + array.nbytes]
        .view(torch.from_numpy(np.empty(0, array.dtype)).dtype)
        .view(array.shape)
        for array, place in zip(arrays, places, strict=False)
    ]


def send_rows(
    images: ImageTable[NDArray[Any]], rows: NDArray[np.int64], device: torch.device
) -> ImageTable[Tensor]:
    """Some rows (m,) of a table of images on a device."""
    columns: list[NDArray[Any]] = []
    images.convert(lambda column: columns.append(column[rows]))
    sent = iter(send_all(columns, device))
    return images.convert(lambda _: next(sent))


class Returning:
    """Numbers on their way from a device to the host.

    Args:
        numbers: that nobody changes afterwards.
    """

    def __init__(self, numbers: Tensor) -> None:
        self._numbers = numbers.to("cpu", non_blocking=True)  # pinned, coming from a GPU
        self._arrived: torch.cuda.Event | None = None
        if numbers.device.type == "cuda":
            self._arrived = torch.cuda.Event(blocking=True)
            self._arrived.record(torch.cuda.current_stream(numbers.device))

    def read(self) -> list[float]:
        """The numbers, once they have arrived."""
        if self._arrived is not None:
            self._arrived.synchronize()
        values: list[float] = self._numbers.tolist()
        return values
