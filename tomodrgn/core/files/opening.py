"""Opening files to read: what the system says against it becomes one message with the path."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tomodrgn.core.errors import DataError
from tomodrgn.core.ownership.call import note_inputs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


@contextmanager
def open_to_read(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a regular file; pipes and devices are refused, as they may never end.

    Raises:
        DataError: the file cannot be opened or read.
    """
    try:
        if path.is_dir():
            raise DataError(f"{path}: is a folder; give a file")
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: is a pipe or a device; give a file")
        note_inputs([path])
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def lines_of(text: str) -> list[str]:
    r"""Lines between ``\n``, ``\r\n`` or ``\r``; no other character ends one."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
