"""Files that were being written when their writer was killed."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

PARTIAL_SUFFIX: Final = ".partial"
"""End of the name of every file that is still being written."""

_OLD_S: Final = 7 * 24 * 3600.0
_PARTIAL: Final = re.compile(r"\..+\.([0-9a-f]{8})-(\d+)\.[0-9a-f]{8}\.partial", re.DOTALL)
_LONGEST_BYTES: Final = 120


def partial_beside(path: Path) -> Path:
    """A hidden name beside ``path`` that no other writer uses, and which says who writes."""
    stem = os.fsencode(path.name)[:_LONGEST_BYTES].decode("utf-8", "ignore")
    owner = f"{_this_host()}-{os.getpid()}"
    return path.with_name(f".{stem}.{owner}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")


def remove_leftovers(folder: Path) -> None:
    """Remove what writers that have ended left behind in a folder.

    Those of other machines, whose life cannot be seen, when they are a week old. What a living
    process of this machine writes is never judged by its age, as clocks may jump.
    """
    try:
        with os.scandir(folder) as entries:
            names = [each.name for each in entries if each.name.endswith(PARTIAL_SUFFIX)]
    except OSError:
        return
    for path in (folder / name for name in names if _PARTIAL.fullmatch(name)):
        with suppress(OSError):
            if not _is_left(path):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _is_left(path: Path) -> bool:
    """Whether nobody writes to it any more."""
    host, pid = _PARTIAL.fullmatch(path.name).groups()  # type: ignore[union-attr]
    if host != _this_host():
        return time.time() - path.lstat().st_mtime > _OLD_S
    return not Path(f"/proc/{pid}").exists() if Path("/proc/self").exists() else not _lives(pid)


def _lives(pid: str) -> bool:
    """Whether there is a process of this number, on systems without /proc."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _this_host() -> str:
    """This machine, and the space in which its process numbers count, in 8 digits."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return f"{zlib.crc32(f'{socket.gethostname()} {space}'.encode()):08x}"
