"""Running out of memory: telling it from other faults, and doing less at once from then on."""

from __future__ import annotations

import ctypes
import gc
import logging
from typing import TYPE_CHECKING, Final, TypeVar

import torch

from tomodrgn.core.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ResultT = TypeVar("ResultT")

logger = logging.getLogger(__name__)

_ALLOCATOR_FAULTS: Final = (
    "DefaultCPUAllocator",
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUFFT_ALLOC_FAILED",
)
"""How libraries say it where they raise nothing more telling than a RuntimeError."""
_MIN_SHARE: Final = 2.0**-8


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        fault in str(error) for fault in _ALLOCATOR_FAULTS
    )


def return_free_memory() -> None:
    """Give the system back what the allocator keeps of memory that nobody uses.

    Each thread has a heap of its own, and heaps of threads that have ended stay large.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of the C library of GNU alone
    if trim is not None:
        trim(0)


def unless_memory_runs_out(work: Callable[[], ResultT]) -> ResultT | None:
    """What ``work`` returns, or None where memory did not suffice; it is free again then."""
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    # Only here is the error gone, and with it all that its frames held.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def halved_until_it_fits(
    what: str, n_items: int, at_once: int, work: Callable[[slice, float], ResultT]
) -> Iterator[ResultT]:
    """Results of ``work`` on all items, some at a time, and fewer from when memory runs out.

    Args:
        what: is done, for messages.
        n_items: how many there are.
        at_once: how many are taken to begin with.
        work: called with a slice of items, and with the share of the usual that it should do at
            once of whatever else it divides: 1, then 1/2, 1/4 and so on.

    Raises:
        RunError: memory does not suffice for the least share of one item.
    """
    done, share, told = 0, 1.0, 1.0
    while done < n_items:
        items = slice(done, min(done + max(1, int(at_once * share)), n_items))
        result = unless_memory_runs_out(lambda items=items, share=share: work(items, share))  # type: ignore[misc]
        if result is not None:
            if share != told:
                logger.warning("%s: memory ran out; going on with 1/%d at once", what, 1 / share)
                told = share
            done = items.stop
            yield result
        elif share > _MIN_SHARE:
            share /= 2
        else:
            raise RunError(
                f"{what}: memory does not suffice for one at a time; close other programs, take a "
                "smaller box (--downsample), or a machine with more memory"
            )
