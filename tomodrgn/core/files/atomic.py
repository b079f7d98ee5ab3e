"""Files that appear whole or not at all.

A file is written under a partial name beside its target, flushed to the disk and renamed. Whatever
kills the program leaves the old file, or none, and at most a ``.partial`` file next to it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tomodrgn.core.errors import OutputError
from tomodrgn.core.ownership.call import note, note_growing, permit
from tomodrgn.core.ownership.leftovers import partial_beside

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def atomic_path(path: Path, *, is_own: bool = False) -> Iterator[Path]:
    """A partial path to write to; it becomes ``path`` when the block ends without an error.

    Args:
        path: the target; missing folders above it are made, an existing file is replaced where
            the command under way may do that.
        is_own: whether the caller knows that what is there may be replaced.

    Yields:
        A path in the same folder that no other writer uses; the block creates the file.

    Raises:
        OutputError: the file cannot be written, or is an input or somebody else's.
    """
    path = Path(path)
    if not is_own:
        permit(path)
    make_folder(path.parent)
    partial = partial_beside(path)
    try:
        with writing(path):
            yield partial
            flush_to_disk(partial)
            if not is_own:
                note(path, partial)
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


def write_bytes_atomic(path: Path, content: bytes | memoryview, *, is_own: bool = False) -> None:
    """Write ``content`` to ``path``, whole or not at all; see :func:`atomic_path`."""
    with atomic_path(path, is_own=is_own) as partial:
        partial.write_bytes(content)


def write_text_atomic(path: Path, content: str, *, is_own: bool = False) -> None:
    r"""Write ``content`` to ``path`` as UTF-8 with ``\n`` line ends, whole or not at all."""
    write_bytes_atomic(path, content.encode("utf-8"), is_own=is_own)


def append_line(path: Path, line: str) -> None:
    """Add a line to a file that grows.

    Raises:
        OutputError: it cannot be written.
    """
    note_growing(path)
    with writing(path), path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def move_into_place(source: Path, path: Path) -> None:
    """Give a file or folder that is whole its name.

    Raises:
        OutputError: it cannot be moved, or what is there is an input or somebody else's.
    """
    permit(path)
    with writing(path):
        note(path, source)
        source.replace(path)


def flush_to_disk(path: Path) -> None:
    """Have the system write a file or the entries of a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
