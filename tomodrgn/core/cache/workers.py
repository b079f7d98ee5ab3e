"""Tasks done one after another, or by several processes of this machine."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Protocol

import torch

from tomodrgn.core.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from multiprocessing.context import SpawnContext
    from multiprocessing.synchronize import Event

    from tomodrgn.core.cache.job import BuildJob
    from tomodrgn.core.ownership.lease import Permit

    Show = Callable[[], None]
    Task = tuple[BuildJob, str, float]

_SHOW_EVERY_S = 1.0

logger = logging.getLogger(__name__)


class FillPart(Protocol):
    """Fills one file of a cache; importable, so that another process finds it."""

    def __call__(
        self, part: BuildJob, index: str, scale: float, permit: Permit, show: Show
    ) -> None:
        """See :func:`tomodrgn.core.cache.parts.fill_part`."""


def in_turn(fill_part: FillPart, tasks: Iterable[Task], permit: Permit, show: Show) -> None:
    """Fill one file after another in this process."""
    for part, index, scale in tasks:
        fill_part(part, index, scale, permit, show)
        show()


def in_processes(count: int) -> Callable[[FillPart, Iterable[Task], Permit, Show], None]:
    """A way to fill ``count`` files at a time, in processes that share the cores."""

    def fill_all(fill_part: FillPart, tasks: Iterable[Task], permit: Permit, show: Show) -> None:
        context = multiprocessing.get_context("spawn")
        stop = _event(context)
        arguments = (stop, permit, max(1, len(os.sched_getaffinity(0)) // count))
        with ProcessPoolExecutor(count, context, _begin_worker, arguments) as pool:
            try:
                _hand_out(pool, count, fill_part, tasks, show)
            except BrokenProcessPool as error:
                raise CacheError(
                    "a process that prepared images was ended, maybe for want of memory; run the "
                    "same command again, with fewer --processes: finished parts are kept"
                ) from error
            except BaseException:
                stop.set()  # those at work end after their block
                raise

    return fill_all


def _event(context: SpawnContext) -> Event:
    """A signal between processes.

    Raises:
        CacheError: the system has no memory that processes share.
    """
    try:
        return context.Event()
    except OSError as error:
        reason = error.strerror or error
        raise CacheError(
            f"several processes cannot work together here: {reason} (/dev/shm is missing, full or "
            "closed); mount it, or call the command again with --processes 1"
        ) from error


def _hand_out(
    pool: ProcessPoolExecutor, count: int, fill_part: FillPart, tasks: Iterable[Task], show: Show
) -> None:
    """Give tasks to processes as these become free, so that few wait in memory."""
    busy: set[Future[None]] = set()
    for task in tasks:
        busy.add(pool.submit(_work, fill_part, task))
        while len(busy) >= count:
            busy = _some_done(busy, show)
    while busy:
        busy = _some_done(busy, show)


def _some_done(busy: set[Future[None]], show: Show) -> set[Future[None]]:
    """What is still being done after a while."""
    done, busy = wait(busy, timeout=_SHOW_EVERY_S, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    show()
    return busy


class _StoppedError(Exception):
    """Another process has failed."""


_by: tuple[Event, Permit] | None = None


def _begin_worker(stop: Event, permit: Permit, threads: int) -> None:
    """Prepare a process: it uses its share of the cores, and ends with the one that started it."""
    global _by  # noqa: PLW0603  # the only way from the start of a process to its tasks
    _by = stop, permit
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(fill_part: FillPart, task: Task) -> None:
    """One task in another process, ended early when a task elsewhere has failed."""
    if _by is None:
        raise RuntimeError("this process has not begun")
    stop, permit = _by

    def go_on() -> None:
        if stop.is_set():
            raise _StoppedError

    part, index, scale = task
    go_on()
    fill_part(part, index, scale, permit, go_on)
