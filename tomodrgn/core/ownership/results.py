"""A folder of results: one writer, a record of what it made, and results of before that wait.

When results begin anew in a folder that holds others, these go aside to ``replaced``, a whole
folder of results by itself. They go for good when the new ones are complete, and come back when
the new ones fail before anything of them can be used. Whatever is killed in between is put right
by the next writer.
"""

from __future__ import annotations

import itertools
import logging
import secrets
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final

from tomodrgn.core.errors import OutputError
from tomodrgn.core.ownership.call import current_call
from tomodrgn.core.ownership.lease import Lease, lock_of_folder, one_writer
from tomodrgn.core.ownership.leftovers import PARTIAL_SUFFIX, partial_beside, remove_leftovers
from tomodrgn.core.ownership.moving import (
    is_as_made,
    is_log,
    move_made,
    records_in,
    remove_made,
)
from tomodrgn.core.ownership.record import (
    RECORD,
    MadeFile,
    Record,
    RecordWriter,
    digest_of,
    read_record,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tomodrgn.core.ownership.call import Call

REPLACED: Final = "replaced"
"""Folder of the results of before, until the new ones are complete."""

logger = logging.getLogger(__name__)


class ResultsFolder:
    """A folder that a command writes its results to.

    Attributes:
        folder: its absolute path.
        by: the command.
        lease: that this process is its one writer; None in processes that the main one vouches for.
        was_recorded: whether it had a record before.
        is_loose: whether it is written outside of a command, so that nobody keeps a record.
    """

    def __init__(
        self, folder: Path, by: str, lease: Lease | None, rank: int = 0, *, is_loose: bool = False
    ) -> None:
        self.folder = folder
        self.by = by
        self.is_loose = is_loose
        self.lease = lease
        found = read_record(folder)
        self.was_recorded = found is not None
        self.record = found or Record()
        self._writer = RecordWriter(folder, by, rank)
        self._is_begun = self.was_recorded or rank > 0

    @property
    def replaced(self) -> Path:
        """Where results of before wait."""
        return self.folder / REPLACED

    def require_lease(self) -> None:
        """Go on only while this process is the one writer.

        Raises:
            OutputError: it is no longer.
        """
        if self.lease is not None:
            self.lease.require()

    def is_own(self, path: Path) -> bool:
        """Whether the command made a file, and nobody changed it since."""
        made = self.record.files.get(self._name(path))
        return made is not None and made.by == self.by and is_as_made(path, made)

    def refuse(self, path: Path) -> None:
        """Say whose a file is that is not the command's own.

        Raises:
            OutputError: always.
        """
        made = self.record.files.get(self._name(path))
        if made is None:
            words = f"is not tomodrgn's: {RECORD} does not list it"
        elif made.by != self.by:
            words = f"is a result of {made.by}"
        else:
            words = f"was changed since {self.by} made it"
        raise OutputError(f"{path}: {words}; move it away, or name another output")

    def note(self, path: Path, partial: Path | None) -> None:
        """Note that ``partial``, a file or a folder, is about to become ``path``.

        Args:
            path: in the folder.
            partial: what becomes it; None for a file that grows.
        """
        name = self._name(path)
        if any(part.endswith(PARTIAL_SUFFIX) for part in name.split("/")):
            return
        if partial is not None and partial.is_dir():
            for each in sorted(partial.rglob("*")):
                if each.is_file():
                    self.note(path / each.relative_to(partial), each)
            return
        known = self.record.files.get(name)
        if partial is None and known is not None and not known.digests and known.by == self.by:
            return
        if not self._is_begun:
            self.begin()
        self._note_sources()
        digest = None if partial is None else digest_of(partial)
        self.record.files.setdefault(name, MadeFile(self.by)).by = self.by
        if digest is not None:
            self.record.files[name].digests.append(digest)
        self._writer.note(name, digest)

    def _note_sources(self) -> None:
        """Note which runs the command has opened, where the record does not say so yet."""
        call = current_call()
        runs = frozenset() if call is None else frozenset(call.runs) - {self.record.identity}
        if runs and runs != self.record.made_from:
            self.record.made_from = runs
            self._writer.note_sources(runs)

    def begin(self) -> None:
        """Give the results an identity."""
        self._is_begun = True
        self.record.identity = secrets.token_hex(8)
        self.record.is_complete = False
        self._writer.begin(self.record.identity)

    def keep_edited(self, path: Path) -> None:
        """Give a file of the command that the user has changed another name, to write it anew.

        For files that users may change, such as settings: ``run.yaml`` is kept as
        ``run.edited.yaml``.
        """
        made = self.record.files.get(self._name(path))
        if made is None or not path.is_file() or is_as_made(path, made):
            return
        numbers = itertools.chain([""], (f".{number}" for number in itertools.count(2)))
        kept = (path.with_name(f"{path.stem}.edited{n}{path.suffix}") for n in numbers)
        free = next(each for each in kept if not each.exists())
        path.rename(free)
        logger.info("%s: was changed by hand and is kept as %s", path, free.name)

    def remove(self, path: Path) -> bool:
        """Remove a file if it is the command's own; whether it was."""
        if not self.is_own(path):
            return False
        path.unlink(missing_ok=True)
        self._forget(path)
        return True

    def adopt(self, is_own: Callable[[str], bool]) -> None:
        """Take the files of a version without records for its results, by their names.

        Args:
            is_own: whether a name is one that only a result has.
        """
        if self.was_recorded or self.is_loose:
            return
        for path in sorted(self.folder.iterdir()):
            if is_own(path.name) and path.is_file() and not path.is_symlink():
                self.note(path, path)

    def set_aside(self) -> None:
        """Make room for new results; those of before wait in ``replaced``, but for logs.

        Results that were begun while others wait there are removed.

        Raises:
            OutputError: somebody else's file is in the way, or somebody works on these results.
        """
        if self.is_loose:
            return
        own = [name for name in self.record.files if not is_log(name) and self._is_as_made(name)]
        if self.replaced.exists():
            self._require_replaced()
            for name in own:
                (self.folder / name).unlink()
        elif own:
            self._move_to_replaced(own)
        self._restart_record({n: made for n, made in self.record.files.items() if is_log(n)})

    def put_back(self) -> None:
        """Remove what was begun, and bring back what waits."""
        waiting = read_record(self.replaced)
        if waiting is None:
            return
        if waiting.identity != self.record.identity:
            for name in self.record.files:
                if not is_log(name) and self._is_as_made(name):
                    (self.folder / name).unlink()
        move_made(self.replaced, self.folder)
        self.record = read_record(self.folder) or Record()
        logger.info("%s: the results of before are back", self.folder)

    def complete(self) -> None:
        """Note that the results are all there; those of before go."""
        if self.is_loose:
            return
        if not self._is_begun:
            self.begin()
        self._writer.note_complete()
        self.record.is_complete = True
        if read_record(self.replaced) is not None:
            remove_made(self.replaced)

    def recover(self, *, can_go_on: Callable[[Path], bool]) -> None:
        """Put right what a writer that was killed left.

        Args:
            can_go_on: whether the results that were begun in the folder are of use.
        """
        waiting = read_record(self.replaced)
        if waiting is None:
            return
        if waiting.identity == self.record.identity:  # while they were moved there, or back
            self.put_back()
        elif self.record.is_complete:
            remove_made(self.replaced)
        elif not can_go_on(self.folder):
            self.put_back()

    def _name(self, path: Path) -> str:
        return path.absolute().relative_to(self.folder).as_posix()

    def _is_as_made(self, name: str) -> bool:
        path = self.folder / name
        return path.exists() and is_as_made(path, self.record.files[name])

    def _forget(self, path: Path) -> None:
        name = self._name(path)
        if self.record.files.pop(name, None) is not None:
            self._writer.note_gone(name)

    def _require_replaced(self) -> None:
        """Refuse a folder of that name that is somebody's own."""
        if read_record(self.replaced) is None:
            raise OutputError(
                f"{self.replaced}: is in the way of results that are to be replaced; move it away"
            )

    def _move_to_replaced(self, names: list[str]) -> None:
        """Move files aside, to a folder that has the record from the beginning.

        Folders below with records of their own stay, as they may be other runs.
        """
        beside = partial_beside(self.replaced)
        beside.mkdir()
        for path in records_in(self.folder):
            (beside / path.name).write_bytes(path.read_bytes())
        beside.rename(self.replaced)
        for name in names:
            target = self.replaced / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).rename(target)
        logger.info(
            "%s: the results of before wait in %s until the new ones are complete",
            self.folder, self.replaced,
        )  # fmt: skip

    def _restart_record(self, kept: dict[str, MadeFile]) -> None:
        """Begin the record anew, whole at once."""
        beside = partial_beside(self.folder / RECORD)
        self.record = Record(secrets.token_hex(8), dict(kept))
        writer = RecordWriter(self.folder, self.by)
        writer.write_anew(beside, self.record)
        for path in records_in(self.folder):
            if path.name != RECORD:
                path.unlink()
        beside.replace(self.folder / RECORD)
        self._is_begun = True


def begin_results(
    folder: Path,
    *,
    rank: int = 0,
    shares: bool = False,
    can_go_on: Callable[[Path], bool] = lambda _folder: False,
) -> ResultsFolder:
    """Be the one writer of a folder until the command under way ends; the folder is made.

    Outside a command nobody says when that is, and the folder is only made.

    Args:
        folder: where results go.
        rank: of this process among those of the command; the first one vouches for the others.
        shares: whether a folder above, if the command writes to one, takes these results, too.
        can_go_on: whether results that were begun in a folder can be gone on with.

    Raises:
        OutputError: another process writes there, or the folder cannot be written.
    """
    call = current_call()
    if call is None:
        _make(folder)
        return ResultsFolder(folder.absolute(), "python", None, rank, is_loose=True)
    place = folder.absolute()
    for known in call.results:
        if place == known.folder or (shares and place.is_relative_to(known.folder)):
            _make(folder)
            return known
    context = _writing_to(call, folder, rank=rank, can_go_on=can_go_on)
    return call.until_done.enter_context(context)


@contextmanager
def _writing_to(
    call: Call, folder: Path, *, rank: int, can_go_on: Callable[[Path], bool]
) -> Iterator[ResultsFolder]:
    """See :func:`begin_results`."""
    place = folder.absolute()
    with ExitStack() as stack:
        lease = None
        if not rank:
            _make(folder)
            lease = stack.enter_context(one_writer(lock_of_folder(folder), place=folder))
            remove_leftovers(folder)
        results = ResultsFolder(place, call.command, lease, rank)
        if not rank:
            results.recover(can_go_on=can_go_on)
        call.results.append(results)
        try:
            yield results
        except BaseException:
            if not rank and not can_go_on(folder) and not results.record.is_complete:
                with suppress(OSError):
                    results.put_back()
            raise
        finally:
            call.results.remove(results)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(f"{folder}: a file is where a folder is needed; name another") from error
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written: {error.strerror or error}; name another place"
        ) from error
