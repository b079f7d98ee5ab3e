"""What a user sees of long work: a bar on a terminal, plain lines elsewhere, and run.log."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOG_FORMAT = "%(asctime)s     %(message)s"
LOG_TIME = "%Y-%m-%d %H:%M:%S"

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def logging_to(path: Path | None, *, verbose: bool = False) -> Iterator[None]:
    """Write the program's log to a file besides where it goes already.

    Args:
        path: log file, appended to; None for a process that only warns.
        verbose: log details too.
    """
    root = logging.getLogger("tomodrgn")
    before = root.level
    if path is None:
        root.setLevel(logging.WARNING)
        handler: logging.Handler = logging.NullHandler()
    else:
        root.setLevel(logging.DEBUG if verbose else logging.INFO)
        handler = logging.FileHandler(path, encoding="utf-8")
        handler.setFormatter(logging.Formatter(LOG_FORMAT, LOG_TIME))
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
        root.setLevel(before)


@contextlib.contextmanager
def show_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A function to call with (done, total): it shows a bar with rate and time left.

    Off a terminal a line is logged every ten seconds.
    """
    if not sys.stderr.isatty():
        yield _line_reporter(what)
        return
    from rich.console import Console  # noqa: PLC0415  only where there is a terminal
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)

        def update(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield update


def _line_reporter(what: str, interval_s: float = 10.0) -> Callable[[int, int], None]:
    began = last = time.monotonic()

    def update(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < interval_s or not done:
            return
        last = now
        left = (now - began) * (total - done) / done
        logger.info("%s: %d of %d, %.0f s left", what, done, total, left)

    return update
