"""Whether results on disk are still those that were written: by digest, against their record."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.ownership.call import note_run
from tomodrgn.core.ownership.moving import is_as_made
from tomodrgn.core.ownership.record import RECORD, Record, digest_of, read_record
from tomodrgn.core.products import RUN_SPEC

if TYPE_CHECKING:
    from pathlib import Path

_LEVELS: Final = 4
"""Folders above a file in which a record is looked for."""

logger = logging.getLogger(__name__)


def require_as_made(path: Path) -> None:
    """Go on if a file that a record lists still holds what was made.

    Files that no record lists pass: nothing is known of them.

    Raises:
        DataError: it was damaged or changed.
    """
    absolute = path.absolute()
    for folder in absolute.parents[:_LEVELS]:
        record = _record_of(folder)
        if record is None:
            continue
        made = record.files.get(absolute.relative_to(folder).as_posix())
        if made is None or not made.digests or not path.is_file():
            continue
        _say_if_of_a_former_run(folder)
        if digest_of(path) not in made.digests:
            raise DataError(
                f"{path}: is not as {made.by} made it, says {folder / RECORD}: it was damaged or "
                "changed; make it again, or, if the change is meant, give it another name"
            )
        return


def note_run_opened(directory: Path) -> None:
    """Let what the command under way makes say that it was made from a run."""
    record = _record_of(directory.absolute())
    if record is not None:
        note_run(record.identity)


def say_if_of_another_run(folder: Path, directory: Path) -> None:
    """Warn where results were made from another run than the one they are put together with.

    Args:
        folder: of the results; where its record names no run, nothing is known.
        directory: of the run.
    """
    made, run = _record_of(folder.absolute()), _record_of(directory.absolute())
    if made is None or run is None or not made.made_from or not run.identity:
        return
    if run.identity not in made.made_from:
        _warn_of_another_run(folder, directory)


def _say_if_of_a_former_run(folder: Path) -> None:
    """The same of results in a folder below a run, which may have been replaced since."""
    for above in folder.parents[:_LEVELS]:
        if (above / RUN_SPEC).is_file():
            say_if_of_another_run(folder, above)
            return


@lru_cache(maxsize=64)
def _warn_of_another_run(folder: Path, directory: Path) -> None:
    logger.warning(
        "%s: was made from another run than the one in %s now; make it again from that one, unless "
        "the other one is meant", folder, directory,
    )  # fmt: skip


def is_not_of_others(path: Path, within: Path) -> bool:
    """Whether a file is as it was made, by the record of its folder or of one above.

    Where none of these folders has a record, as in runs of a version without, nothing speaks
    against it.

    Args:
        path: the file.
        within: the highest folder in which a record is looked for.
    """
    absolute, is_recorded = path.absolute(), False
    for folder in absolute.parents:
        record = _record_of(folder)
        made = None if record is None else record.files.get(str(absolute.relative_to(folder)))
        if made is not None:
            return is_as_made(path, made)
        is_recorded |= record is not None
        if folder == within.absolute():
            break
    return not is_recorded


def require_of_run(path: Path, directory: Path, what: str) -> None:
    """Go on if a file, wherever it lies, is one that a run made.

    A run of a version without records says nothing of its files, which is logged.

    Args:
        path: the file.
        directory: of the run.
        what: what the file holds, for messages.

    Raises:
        RunError: it is not.
        DataError: it lies in the run and was damaged or changed.
    """
    record = _record_of(directory)
    if record is None:
        _say_unverified(directory)
        return
    if not path.is_file() or digest_of(path) in record.digests():
        return
    require_as_made(path)
    raise RunError(
        f"{path}: not the {what} of the run in {directory}, whose record {RECORD} knows no file of "
        "this content: it belongs to another run, or was changed; give a file of this run"
    )


def _record_of(folder: Path) -> Record | None:
    try:
        stat = (folder / RECORD).stat()
    except OSError:
        return None
    return _read_once(folder, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _read_once(folder: Path, _mtime_ns: int, _size: int) -> Record | None:
    return read_record(folder)


@lru_cache(maxsize=64)
def _say_unverified(directory: Path) -> None:
    """Say once that nothing is known of the files of a run."""
    logger.info("%s: unverified: made by a version that kept no record of its files", directory)
