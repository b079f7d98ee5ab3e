"""File names for names that users give: readable, and never one for two.

Names of tomograms hold slashes and blanks, or differ only in those, or in the case of letters,
which some file systems take for the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NOT_IN_FILE_NAMES: Final = re.compile(r'[\\/:*?"<>|\s\x00-\x1f]+')
_LONGEST: Final = 150  # bytes; endings and numbers are added


def file_stems(names: Sequence[str], shown: Callable[[str], str] = str) -> list[str]:
    """What the file of each name is called, without an ending; other names have other files.

    A name that can stay as it is does. Where two would share a file, one has a number appended; the
    order of names does not matter.

    Args:
        names: any names; equal ones share a file.
        shown: what of a name its file is called after.
    """
    wanted = {name: _fitting(shown(name)) for name in names}
    stems: dict[str, str] = {}
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    for name in sorted(wanted, key=lambda name: (wanted[name] != name, name)):
        stem = wanted[name]
        while _folded(stem) in taken:
            numbers[_folded(wanted[name])] += 1
            stem = f"{wanted[name]}_{numbers[_folded(wanted[name])] + 1}"
        taken.add(_folded(stem))
        stems[name] = stem
    return [stems[name] for name in names]


def without_units(name: str) -> str:
    """The name of a quantity in letters and numbers, without its unit in brackets."""
    return re.sub(r"\W+", "_", name.split("(", maxsplit=1)[0].strip())


def _fitting(name: str) -> str:
    """The name without what no file may be called."""
    text = _NOT_IN_FILE_NAMES.sub("_", name).encode()[:_LONGEST].decode(errors="ignore")
    return re.sub(r"^\.+", "_", text) or "unnamed"


def _folded(stem: str) -> str:
    """What a file system that ignores the case of letters tells apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", stem).casefold())
