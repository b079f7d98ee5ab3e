"""Entry points of installed packages, found without the machinery that reads all of their metadata.

Importing :mod:`importlib.metadata` takes a quarter of the time of ``tomodrgn --help``. Where no
package has a plugin, as in most environments, it is not needed to know that.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

_FOLDERS = (".dist-info", ".egg-info", ".egg")


def entry_points_of(group: str) -> list[EntryPoint]:
    """The entry points of a group, of all packages that can be imported."""
    if not _is_named(group):
        return []
    from importlib.metadata import entry_points

    return list(entry_points(group=group))


def _is_named(group: str) -> bool:
    """Whether a package may have entry points of a group; only its absence is certain."""
    others = (finder for finder in sys.meta_path if finder is not PathFinder)
    if any(hasattr(finder, "find_distributions") for finder in others):
        return True
    header = f"[{group}]".encode()
    return any(header in text for text in _texts())


def _texts() -> Iterator[bytes]:
    """The entry points of every package on the path, as their files say them."""
    for folder in dict.fromkeys(sys.path):
        try:
            with os.scandir(folder or ".") as entries:
                found = [entry.path for entry in entries if entry.name.endswith(_FOLDERS)]
        except NotADirectoryError:
            yield from _of_archive(folder)
            continue
        except OSError:
            continue  # not there, or not ours to read: nothing is imported from it either
        for path in found:
            for name in ("entry_points.txt", "EGG-INFO/entry_points.txt"):
                try:
                    with open(os.path.join(path, name), "rb") as file:  # noqa: PTH118, PTH123  fast
                        yield file.read()
                except OSError:
                    continue


def _of_archive(path: str) -> Iterator[bytes]:
    """The entry points in a zip file on the path."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
            yield from (archive.read(name) for name in names)
    except (OSError, zipfile.BadZipFile):
        return
