"""What a user sees of long work: a bar on a terminal, plain lines elsewhere, and run.log."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from logging.handlers import MemoryHandler
from typing import TYPE_CHECKING

from tomodrgn.core.files.atomic import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOG_FORMAT = "%(asctime)s     %(message)s"
LOG_TIME = "%Y-%m-%d %H:%M:%S"
_RECORDS_KEPT = 10_000

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def logging_to(path: Path | None, *, verbose: bool = False) -> Iterator[Callable[[], None]]:
    """Write the program's log to a file besides where it goes already.

    Args:
        path: log file, appended to; None for a process that only warns.
        verbose: log details too.

    Yields:
        A function that begins the file; what was logged before waits in memory until then, so that
        work which fails at its start leaves nothing behind.
    """
    root = logging.getLogger("tomodrgn")
    before = root.level
    root.setLevel(logging.WARNING if path is None else logging.DEBUG if verbose else logging.INFO)
    waiting = MemoryHandler(_RECORDS_KEPT, flushLevel=logging.CRITICAL + 1, flushOnClose=False)
    handlers: list[logging.Handler] = [waiting]
    root.addHandler(waiting)

    def begin() -> None:
        if path is None:
            return
        with writing(path):
            file = _LogFile(path, encoding="utf-8")
        file.setFormatter(logging.Formatter(LOG_FORMAT, LOG_TIME))
        waiting.setTarget(file)
        waiting.flush()
        root.removeHandler(waiting)
        root.addHandler(file)
        handlers.append(file)

    try:
        yield begin
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(before)


class _LogFile(logging.FileHandler):
    """A log that says once that it cannot be written, as on a full disk; the work goes on."""

    _is_told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """See ``logging.Handler``."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._is_told:
            self._is_told = True
            reason = error.strerror or error
            logger.warning(
                "%s: cannot be written (%s); the log ends here", self.baseFilename, reason
            )

    def close(self) -> None:
        """See ``logging.Handler``."""
        with contextlib.suppress(OSError):  # of what could not be written before
            super().close()


@contextlib.contextmanager
def show_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A function to call with (done, total): it shows a bar with rate and time left.

    In a notebook, too; elsewhere a line is logged every ten seconds.
    """
    if not (_is_notebook() or (sys.stderr.isatty() and logger.isEnabledFor(logging.INFO))):
        yield _line_reporter(what)
        return
    from rich.console import Console
    from rich.progress import (
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


def _is_notebook() -> bool:
    """Whether cells of a notebook run this."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


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
