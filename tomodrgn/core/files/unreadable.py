"""Files that the system cannot read now, which says nothing of what they hold."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_OF_THE_SYSTEM: Final = frozenset(
    {
        errno.EACCES,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.EPERM,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)


def require_readable(path: Path, error: BaseException) -> None:
    """Go on where an error is one of what a file holds, such as damage, or of its absence.

    Args:
        path: the file.
        error: what was met while it was read, by Python or by a library.

    Raises:
        OSError: the system could not read it; no file is taken for damaged by that.
        MemoryError: there was not enough memory to read it.
    """
    if isinstance(error, MemoryError):
        raise error
    if isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM:
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
