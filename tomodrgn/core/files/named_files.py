"""Files that a STAR file names: where they are looked for, and which of several is taken.

The folder that the user gives comes first, then that of the STAR file, for sets also those above it
(RELION's project folder), then the working folder; at last the name alone counts, beside the STAR
file. Folders are looked at once, and files only in folders that exist, so that many stacks on a
network file system cost little.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tomodrgn.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NOT_THERE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)
_LOOKS_BEFORE_LISTING: Final = 64
"""Names looked up in a folder one by one, before all of its names are listed at once."""


class Place(NamedTuple):
    """A file that a name stands for, and how the name leads there.

    Attributes:
        path: the file.
        base: the folder that the name is relative to, as ``--datadir`` may give it.
        is_chosen: whether the user gave that folder.
        by_name: whether only the last part of the name leads there.
    """

    path: Path
    base: Path
    is_chosen: bool
    by_name: bool


class _Folder(NamedTuple):
    """A folder in which the file of a name may lie."""

    path: Path
    base: Path
    is_chosen: bool
    by_name: bool


@dataclass(frozen=True, kw_only=True)
class SearchOrder:
    """Where the files that a STAR file names are looked for.

    Attributes:
        star: the STAR file.
        datadir: the folder that the user gave, or None.
        looks_above: whether to look in the folders above that of the STAR file.
    """

    star: Path
    datadir: Path | None = None
    looks_above: bool = False
    _folders: dict[str, tuple[_Folder, ...]] = field(default_factory=dict, repr=False)
    _looks: Counter[Path] = field(default_factory=Counter, repr=False)
    _listed: dict[Path, frozenset[str]] = field(default_factory=dict, repr=False)

    def find(self, written: str) -> list[Place]:
        """The file that a name stands for, then other files that its whole path also leads to.

        Args:
            written: a path as the STAR file has it.

        Returns:
            Nothing where there is no such file.

        Raises:
            DataError: the system does not let one look.
        """
        parent, slash, name = written.rpartition("/")
        folders = self._existing(parent + slash)
        for number, folder in enumerate(folders):
            path = folder.path / name
            if is_file(path):
                return [Place(path, *folder[1:]), *self._others(path, folders[number + 1 :])]
        return []

    def tried(self, written: str) -> list[Path]:
        """Every path that is tried for a name, in order."""
        parent, slash, name = written.rpartition("/")
        folders = self._candidates(Path(parent + slash))
        return list(dict.fromkeys(folder.path / name for folder in folders))

    def _others(self, taken: Path, folders: Sequence[_Folder]) -> list[Place]:
        """Other files than the one taken, by their whole path."""
        named = [f for f in folders if not f.by_name and self._holds(f.path, taken.name)]
        others: list[Place] = []
        seen = {_identity(taken)} if named else set()
        for folder in named:
            path = folder.path / taken.name
            identity = _identity(path)
            if identity is not None and identity not in seen and is_file(path):
                others.append(Place(path, *folder[1:]))
                seen.add(identity)
        return others

    def _holds(self, folder: Path, name: str) -> bool:
        """Whether a folder has an entry; it is listed where that is asked many times."""
        if folder in self._listed:
            return name in self._listed[folder]
        self._looks[folder] += 1
        if self._looks[folder] > _LOOKS_BEFORE_LISTING:
            try:
                self._listed[folder] = frozenset(os.listdir(folder))  # noqa: PTH208  names only
            except OSError:  # one may enter it, and not list it
                self._looks[folder] = 0
        return os.path.lexists(folder / name)

    def _existing(self, parent: str) -> tuple[_Folder, ...]:
        """The folders for names with this first part, each once, as far as they exist."""
        if parent not in self._folders:
            of_identity: dict[tuple[int, int], _Folder] = {}
            for folder in self._candidates(Path(parent)):
                identity = _identity(folder.path)
                if identity is None and (folder.is_chosen or folder.base == self.star.parent):
                    is_file(folder.path)  # says so where the system does not let one look
                if identity is not None:
                    of_identity.setdefault(identity, folder)
            self._folders[parent] = tuple(of_identity.values())
        return self._folders[parent]

    def _candidates(self, parent: Path) -> Iterator[_Folder]:
        """The folders for names with this first part, in order."""
        if self.datadir is not None:
            if not parent.is_absolute():
                yield _Folder(self.datadir / parent, self.datadir, True, False)
            yield _Folder(self.datadir / parent.name, self.datadir, True, True)
            yield _Folder(self.datadir, self.datadir, True, True)
        beside = self.star.parent
        if parent.is_absolute():
            yield _Folder(parent, parent, False, False)
        else:
            above = self.star.absolute().parents[1:] if self.looks_above else ()
            for base in (beside, *above, Path()):
                yield _Folder(base / parent, base, False, False)
        yield _Folder(beside / parent.name, beside, False, True)
        yield _Folder(beside, beside, False, True)


def is_file(path: Path) -> bool:
    """Whether a path names a file; one that is too long for the system names none.

    Raises:
        DataError: the system does not let one look.
    """
    try:
        return path.is_file()
    except OSError as error:
        if error.errno in _NOT_THERE:
            return False
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def stack_of_image(name: str) -> str:
    """The stack of an image that a STAR file names ``N@stack``, or by its stack alone."""
    return name.partition("@")[2] or name


def stack_folder(written: str, star: Path, datadir: Path | str | None) -> Path:
    """The folder to give as ``--datadir`` for the stacks of a STAR file.

    Args:
        written: the path of one of them, as the file has it; it may be missing.
        star: the file.
        datadir: the folder that the user gave, or None.
    """
    chosen = None if datadir is None else Path(datadir)
    for looks_above in (False, True):
        found = SearchOrder(star=star, datadir=chosen, looks_above=looks_above).find(written)
        if found:
            return found[0].base
    return chosen or star.parent


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file or folder from all others; None for one that cannot be reached."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
