"""Runs a command that ends, or whose disk fails, at the nth change of files in a folder.

``python failing.py KIND NTH FOLDER WORDS...``; a kind is ``kill`` (SIGKILL), ``full`` (no space on
the device), ``unreadable`` (EIO at the nth file that is opened to be read), ``memory`` (no memory
then), ``large`` (no file may have more than NTH kilobytes) or ``none``. With 0 for NTH nothing
fails, and ``FOLDER/../steps`` gets a byte for each of these events.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from typing import Any

CHANGES = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate"})
AT_READING = ("unreadable", "memory")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Fault:
    """The nth of some events fails; with 0 they are counted."""

    def __init__(self, kind: str, number: int, folder: str) -> None:
        self.kind, self.left, self.folder = kind, number, folder
        self.has_come = False

    def __call__(self, event: str, details: tuple[Any, ...]) -> None:
        """See ``sys.addaudithook``."""
        if self.has_come or not self.counts(event, details):
            return
        self.left -= 1
        if self.left < 0:
            _add_byte(f"{self.folder}/../steps")
        elif not self.left:
            self.fail()

    def fail(self) -> None:
        """End the process, or have the system say that something failed."""
        self.has_come = True
        _add_byte(f"{self.folder}/../came")
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.kind == "memory":
            raise MemoryError
        number = errno.EIO if self.kind == "unreadable" else errno.ENOSPC
        raise OSError(number, os.strerror(number))

    def counts(self, event: str, details: tuple[Any, ...]) -> bool:
        """Whether an event is one of those that may fail."""
        if not details or not isinstance(details[0], (str, bytes, os.PathLike)):
            return False
        path = os.path.abspath(os.fsdecode(details[0]))  # noqa: PTH100  links stay as they are
        if not path.startswith(self.folder) or path.endswith(".lock") or ".lock." in path:
            return False
        if event == "open":
            is_writing = isinstance(details[2], int) and bool(details[2] & WRITING)
            return is_writing != (self.kind in AT_READING)
        return event in CHANGES and self.kind not in AT_READING


def _add_byte(path: str) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, b".")
    os.close(descriptor)


def main(kind: str, number: str, folder: str, *words: str) -> None:
    """Run ``tomodrgn WORDS`` with the fault."""
    from tomodrgn.core.cli.main import cli

    os.chdir(folder)
    if kind == "large":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(number) * 1024, resource.RLIM_INFINITY))
    elif kind != "none":
        sys.addaudithook(Fault(kind, int(number), folder))
    cli.main(list(words), prog_name="tomodrgn")


if __name__ == "__main__":
    main(*sys.argv[1:])
