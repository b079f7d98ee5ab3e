"""The record of a folder: which files this program made in it, and what they held.

One JSON line says when and by what the folder was begun, one line follows for every file, written
*before* the file gets its name. So a file that the record does not list, or whose content it does
not know, is somebody else's, whatever it is called. A last line that a crash cut short does not
count. The lines of a file that grows, such as a log, name no content.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import xxhash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

RECORD: Final = "made_by_tomodrgn.jsonl"
"""Name of the record in its folder."""

FORMAT: Final = 1
_CHUNK_BYTES: Final = 8 << 20
_MAX_BYTES: Final = 256 << 20

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class MadeFile:
    """A file of a record.

    Attributes:
        by: command that made it.
        digests: of its contents, the last one last; none for a file that grows.
    """

    by: str
    digests: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Record:
    """What a record says.

    Attributes:
        identity: of the results in the folder; a copy of the folder has the same.
        files: by name, with ``/`` between folders.
        is_complete: whether the command that began the results came to its end.
        made_from: identities of the runs that the results were made from.
    """

    identity: str = ""
    files: dict[str, MadeFile] = field(default_factory=dict)
    is_complete: bool = False
    made_from: frozenset[str] = frozenset()

    def digests(self) -> Mapping[str, str]:
        """File by the digest of any content that it had."""
        return {digest: name for name, each in self.files.items() for digest in each.digests}


def digest_of(path: Path) -> str:
    """XXH3 (128 bits) of the content of a file, which tells damage and not malice."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return str(digest.hexdigest())


def read_record(folder: Path) -> Record | None:
    """The record of a folder; None where there is none, as in folders of earlier versions."""
    paths = sorted(folder.glob(f"{RECORD.removesuffix('.jsonl')}*.jsonl"))
    if folder / RECORD not in paths:
        return None
    record = Record()
    for path in paths:  # of the other processes of the command, too
        for line in _lines(path):
            _apply(record, line)
    return record


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a record that are whole."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            logger.warning("%s: is too large for a record and passed over", path)
            return
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        logger.warning("%s: cannot be read (%s)", path, error)
        return
    for number, line in enumerate(text.splitlines(), 1):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            yield found
        elif number <= text.count("\n"):
            logger.warning("%s: line %d is damaged and passed over", path, number)


def _apply(record: Record, line: dict[str, Any]) -> None:
    """Take in one line."""
    name, digest = line.get("file"), line.get("xxh3_128")
    if isinstance(line.get("identity"), str):
        record.identity, record.is_complete = line["identity"], False
    elif line.get("complete") is True:
        record.is_complete = True
    elif isinstance(line.get("made_from"), list):
        record.made_from = frozenset(map(str, line["made_from"]))
    elif isinstance(line.get("gone"), str):
        record.files.pop(line["gone"], None)
    elif isinstance(name, str) and _lies_within(name):
        made = record.files.setdefault(name, MadeFile(""))
        made.by = str(line.get("by", ""))
        if isinstance(digest, str):
            made.digests = [each for each in made.digests if each != digest] + [digest]


def _lies_within(name: str) -> bool:
    """Whether a name stays in the folder of its record; that of a stranger may say anything."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


class RecordWriter:
    """Adds to the record of a folder; threads may share it.

    Args:
        folder: exists.
        by: the command that writes.
        rank: of this process among those of the command, each of which has a file of its own.
    """

    def __init__(self, folder: Path, by: str, rank: int = 0) -> None:
        name = RECORD if not rank else RECORD.replace(".jsonl", f".{rank}.jsonl")
        self._path = folder / name
        self._by = by
        self._lock = threading.Lock()

    def begin(self, identity: str) -> None:
        """Note that other results begin."""
        began = datetime.now(UTC).isoformat(timespec="seconds")
        self._add({"format": FORMAT, "identity": identity, "by": self._by, "began": began})

    def note(self, name: str, digest: str | None) -> None:
        """Note a file that is about to get its name; without digest one that grows."""
        line = {"file": name, "by": self._by}
        self._add(line if digest is None else line | {"xxh3_128": digest})

    def note_gone(self, name: str) -> None:
        """Note that a file was removed."""
        self._add({"gone": name})

    def write_anew(self, path: Path, record: Record) -> None:
        """Write a whole record to another path, from which it can be moved here."""
        began = datetime.now(UTC).isoformat(timespec="seconds")
        first = {"format": FORMAT, "identity": record.identity, "by": self._by, "began": began}
        lines: list[dict[str, Any]] = [first]
        for name, made in record.files.items():
            line = {"file": name, "by": made.by}
            lines += [line | {"xxh3_128": digest} for digest in made.digests] or [line]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    def note_sources(self, runs: Iterable[str]) -> None:
        """Note which runs the results are made from, by their identities."""
        self._add({"made_from": sorted(runs)})

    def note_complete(self) -> None:
        """Note that the results are all there."""
        self._add({"complete": True})

    def _add(self, line: dict[str, Any]) -> None:
        with self._lock, self._path.open("ab") as file:
            torn = file.tell() and not _ends_a_line(self._path)
            file.write(("\n" * torn + json.dumps(line) + "\n").encode())


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) == b"\n"
