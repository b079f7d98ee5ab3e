"""Processes of a run as threads of one process: they meet like processes, and start at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch

from tomodrgn.core.model.workers import Workers
from tomodrgn.core.training.devices import Devices

ResultT = TypeVar("ResultT")
LIMIT_S = 60


class _Meeting:
    """Where n threads show each other one thing at a time."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._places: list[Any] = [None] * n
        self._barrier = threading.Barrier(n, timeout=LIMIT_S)

    def show(self, rank: int, thing: Any) -> list[Any]:
        self._places[rank] = thing
        self._barrier.wait()
        everything = list(self._places)
        self._barrier.wait()
        return everything


class ThreadDevices(Devices):
    """One of the processes; sums are made in the order of their ranks."""

    def __init__(self, rank: int, meeting: _Meeting, dtype: torch.dtype) -> None:
        self.rank, self.n_ranks = rank, meeting.n
        self.is_main, self.is_stopping = rank == 0, False
        self.device, self.dtype = torch.device("cpu"), dtype
        self.workers = Workers(1)
        self._autocast_dtype = None
        self._meeting = meeting

    def sum_over_processes(self, tensors: list[torch.Tensor]) -> None:
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        total = torch.stack(self._meeting.show(self.rank, flat)).sum(0)
        for tensor, part in zip(tensors, total.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def gather(self, text: str) -> list[str]:
        return self._meeting.show(self.rank, text)


def together(
    n_ranks: int, work: Callable[[Devices], ResultT], dtype: torch.dtype = torch.float64
) -> list[ResultT | BaseException]:
    """What ``work`` gives or raises in each of several processes, by their ranks."""
    meeting = _Meeting(n_ranks)

    def attempt(rank: int) -> ResultT | BaseException:
        try:
            return work(ThreadDevices(rank, meeting, dtype))
        except (Exception, SystemExit) as error:  # noqa: BLE001  which is what is looked at
            return error

    with ThreadPoolExecutor(n_ranks) as pool:
        return list(pool.map(attempt, range(n_ranks)))
