"""Threads that share the work of networks on a CPU, chunk by chunk.

One chunk per thread, each on one core, leaves the matrices in the core's own cache and spares the
barriers that several cores in one small product need. Which worker takes which chunk is fixed, and
results come back in the order of the workers, so that sums are the same at every call.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ResultT = TypeVar("ResultT")


class Workers:
    """``n`` threads of one core each; with ``n`` = 1 the caller does the work itself.

    Args:
        n: number of workers, at most the CPU threads that torch may use.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._pool: ThreadPoolExecutor | None = None

    def share(self, work: Callable[[int], ResultT]) -> list[ResultT]:
        """Results of ``work(0)`` to ``work(n - 1)``, computed at the same time."""
        if self.n == 1:
            return [work(0)]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(
                self.n, initializer=torch.set_num_threads, initargs=(1,)
            )
        with _one_thread_per_product():
            return list(self._pool.map(work, range(self.n)))


@contextlib.contextmanager
def _one_thread_per_product() -> Iterator[None]:
    """Let products use one core: the matrix library counts threads for the whole process."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
