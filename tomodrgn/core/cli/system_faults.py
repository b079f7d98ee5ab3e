"""What the system says against a command, in words and with a way out.

Commands explain what they know best themselves. What is left may come from any look at a path and
from any array: no room, no memory, a folder that is gone, a name in bytes that are no text.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

from tomodrgn.core.quoting import shown

_GONE_ON: Final = "check whether the disk or the network is well, and call the command again"
_WAYS_OUT: Final = {
    errno.EACCES: "change who may use it, or name another",
    errno.EPERM: "change who may use it, or name another",
    errno.EROFS: "name another place",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.ELOOP: "its links lead in a circle; give the file that is meant",
    errno.ENOENT: "check whether it is there, and whether its name is right",
    errno.ENOTDIR: "a file stands where a folder is needed; name another",
    errno.EISDIR: "give a file",
    errno.EEXIST: "name another",
    errno.ENOSPC: "make room, or name another place",
    errno.EDQUOT: "make room, or name another place",
    errno.EFBIG: "name a place for larger files",
    errno.EMFILE: "allow more open files (ulimit -n), and call the command again",
    errno.ENFILE: "allow more open files, and call the command again",
    errno.EIO: _GONE_ON,
    errno.ESTALE: _GONE_ON,
    errno.ETIMEDOUT: _GONE_ON,
}
_LOOP: Final = "Symlink loop"
"""How ``Path.resolve`` says it in Python before 3.13."""
_MEMORY: Final = (
    "memory does not suffice; look with tomodrgn plan what is needed, take fewer particles or a "
    "smaller box, or a machine with more memory"
)
_RECURSION: Final = "the input is nested too deeply; give a simpler one"


def words_for(error: BaseException) -> str | None:
    """One message for a fault of the system; None where it is a fault of the program."""
    if _is_out_of_memory(error):
        return _MEMORY
    if isinstance(error, RuntimeError) and str(error).startswith(_LOOP):
        return f"{shown(str(error))}; {_WAYS_OUT[errno.ELOOP]}"
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, UnicodeError):
        return _of_text(error)
    return _RECURSION if isinstance(error, RecursionError) else None


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    if "torch" not in sys.modules:
        return False
    from tomodrgn.core.model.memory_faults import is_out_of_memory

    return is_out_of_memory(error)


def _of_system(error: OSError) -> str:
    if error.errno == errno.ENOENT and error.filename is None and not _has_folder():
        return (
            "the folder in which this was called is gone; change into another (cd), and call it "
            "again"
        )
    name = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    way_out = _WAYS_OUT.get(error.errno or 0, "")
    return shown(f"{name}{reason}{'; ' if way_out else ''}{way_out}")


def _has_folder() -> bool:
    """Whether the current folder is still there."""
    try:
        os.getcwd()  # noqa: PTH109  nothing but the call of the system
    except OSError:
        return False
    return True


def _of_text(error: UnicodeError) -> str:
    found = str(error.object)[:100] if isinstance(error, UnicodeEncodeError) else ""
    what = f"{shown(found)}: " if found else ""
    return f"{what}holds bytes that are no text in UTF-8; give it a name or content that is"
