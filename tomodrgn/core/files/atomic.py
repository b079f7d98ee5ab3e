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

from tomodrgn.core.errors import OutputError

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

    Raises:
        OutputError: the file cannot be written.
    """
    path = Path(path)
    make_folder(path.parent)
    partial = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    try:
        with writing(path):
            yield partial
            flush_to_disk(partial)
            partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink()
    with suppress(OSError):  # some network file systems do not flush folders
        flush_to_disk(path.parent)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name ``path`` in what the system says against writing it in the block.

    Raises:
        OutputError: the system refused.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(
            f"{path}: cannot be written: {reason}; make room, or name another place"
        ) from error


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are missing.

    Raises:
        OutputError: a file is in the way, or the system refused.
    """
    with writing(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise OutputError(
                f"{path}: a file is where a folder is needed; name another"
            ) from error


def write_bytes_atomic(path: Path, content: bytes | memoryview) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def write_text_atomic(path: Path, content: str) -> None:
    r"""Write ``content`` to ``path`` as UTF-8 with ``\n`` line ends, whole or not at all."""
    write_bytes_atomic(path, content.encode("utf-8"))


def flush_to_disk(path: Path) -> None:
    """Have the system write a file or the entries of a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
