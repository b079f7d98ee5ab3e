"""Files that a record lists, moved or removed with their record; everything else stays."""

from __future__ import annotations

import logging
import re
import shutil
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from tomodrgn.core.ownership.leftovers import partial_beside, remove_leftovers
from tomodrgn.core.ownership.record import RECORD, MadeFile, Record, digest_of, read_record

if TYPE_CHECKING:
    from pathlib import Path

_RECORDS: Final = re.compile(re.escape(RECORD.removesuffix(".jsonl")) + r"(\.\d+)?\.jsonl")

logger = logging.getLogger(__name__)


def is_as_made(path: Path, made: MadeFile) -> bool:
    """Whether a file still holds what was made."""
    if path.is_symlink() or not path.is_file():
        return False
    return not made.digests or digest_of(path) in made.digests


def is_log(name: str) -> bool:
    """Whether a file tells what was done in the folder, whichever results lie there."""
    return name.endswith(".log")


def is_record(path: Path) -> bool:
    """Whether a file is the record of its folder, or a part of it."""
    return bool(_RECORDS.fullmatch(path.name))


def records_in(folder: Path) -> list[Path]:
    """The record of a folder, in the files of all processes that wrote it."""
    return sorted(path for path in folder.iterdir() if is_record(path))


def move_made(source: Path, target: Path) -> None:
    """Move what the record of a folder lists; folders with records of their own stay.

    The record is there before its files and until these are gone, so that a kill in between leaves
    nothing that no record lists.
    """
    record = read_record(source) or Record()
    target.mkdir(parents=True, exist_ok=True)
    for path in records_in(source):
        beside = partial_beside(target / path.name)
        beside.write_bytes(path.read_bytes())
        beside.replace(target / path.name)
    for name, made in record.files.items():
        if is_as_made(source / name, made) and not (target / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).rename(target / name)
    _dissolve(source, record)


def remove_made(source: Path) -> None:
    """Remove what the record of a folder lists; the rest stays."""
    record = read_record(source) or Record()
    for name, made in record.files.items():
        if is_as_made(source / name, made):
            (source / name).unlink()
    _dissolve(source, record)


def _dissolve(folder: Path, record: Record) -> None:
    """Remove a folder whose files are gone, and the folders in it that these lay in.

    It goes with its record, in one step; where something else is left, the record alone goes.
    """
    within = {folder / parent for name in record.files for parent in PurePosixPath(name).parents}
    for path in sorted(within - {folder}, reverse=True):
        remove_leftovers(path)
        with suppress(OSError):
            path.rmdir()
    remove_leftovers(folder)
    if all(is_record(path) for path in folder.iterdir()):
        beside = partial_beside(folder)
        folder.rename(beside)
        shutil.rmtree(beside)
        return
    for path in records_in(folder):
        path.unlink()
    logger.warning("%s: holds other files, too, which stay", folder)
