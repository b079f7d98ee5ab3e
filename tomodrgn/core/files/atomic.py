"""Files that appear whole or not at all.

A file is written under a partial name beside its target, flushed to the disk and renamed. Whatever
kills the program leaves the old file, or none, and at most a ``.partial`` file next to it.
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTIAL_SUFFIX = ".partial"
"""End of the name of every file that is still being written."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A partial path to write to; it becomes ``path`` when the block ends without an error.

    Args:
        path: the target; missing folders above it are made, an existing file is replaced.

    Yields:
        A path in the same folder that no other writer uses; the block creates the file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    try:
        yield partial
        _flush_to_disk(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    with suppress(OSError):  # some network file systems do not flush folders
        _flush_to_disk(path.parent)


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def write_text_atomic(path: Path, content: str) -> None:
    r"""Write ``content`` to ``path`` as UTF-8 with ``\n`` line ends, whole or not at all."""
    write_bytes_atomic(path, content.encode("utf-8"))


def _flush_to_disk(path: Path) -> None:
    """Have the system write a file or the entries of a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
