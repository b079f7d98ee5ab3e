"""The call under way: what it reads is never replaced, and what others made only if it says so.

Commands are done within :func:`calling`. Whoever gives a file its name asks :func:`permit` first
and tells :func:`note`; outside a command both let everything pass.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tomodrgn.core.errors import OutputError
from tomodrgn.core.ownership.leftovers import remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tomodrgn.core.ownership.results import ResultsFolder


@dataclass(slots=True)
class Call:
    """A command that is being done.

    Attributes:
        command: its name.
        overwrite: whether it may replace files that are not its own.
        inputs: what it reads, by device and inode.
        results: folders that it writes to.
        runs: that it opened, by the identities of their results.
        looked_at: folders in which leftovers were looked for.
        until_done: what is left when the command ends.
    """

    command: str
    overwrite: bool = False
    inputs: dict[tuple[int, int], Path] = field(default_factory=dict)
    results: list[ResultsFolder] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)
    looked_at: set[Path] = field(default_factory=set)
    until_done: ExitStack = field(default_factory=ExitStack)


_under_way: list[Call] = []
"""Commands that are being done by this process, the innermost last: a pipeline does its steps."""


@contextmanager
def calling(
    command: str, *, overwrite: bool = False, inputs: Iterable[Path] = ()
) -> Iterator[Call]:
    """Do a command in the block.

    Args:
        command: its name.
        overwrite: whether it may replace files that are not its own.
        inputs: files that it reads, as far as they are known.
    """
    call = Call(command, overwrite)
    _under_way.append(call)
    try:
        with call.until_done:
            note_inputs(inputs)
            yield call
    finally:
        _under_way.remove(call)


def current_call() -> Call | None:
    """The innermost command that is being done."""
    return _under_way[-1] if _under_way else None


def note_inputs(paths: Iterable[Path]) -> None:
    """Note files that the command under way reads; what is no file is passed over."""
    if not _under_way:
        return
    for path in paths:
        identity = _identity(path)
        if identity is not None:
            _under_way[-1].inputs.setdefault(identity, path)


def note_run(identity: str) -> None:
    """Note a run that the command under way makes something from."""
    if _under_way and identity:
        _under_way[-1].runs.add(identity)


def permit(path: Path) -> None:
    """Go on if the command under way may make or replace a file.

    Raises:
        OutputError: it is an input, or somebody else's.
    """
    call = current_call()
    if call is None:
        return
    if path.parent not in call.looked_at:
        call.looked_at.add(path.parent)
        remove_leftovers(path.parent)
    home = _home(path)
    if home is not None:
        home.require_lease()
    if not (path.exists() or path.is_symlink()):
        return
    if home is not None and home.is_own(path):
        return
    _refuse_inputs(path)
    if home is not None and home.was_recorded:
        home.refuse(path)
    if not call.overwrite:
        raise OutputError(f"{path}: exists; name another output, or replace it with --overwrite")


def note(path: Path, partial: Path) -> None:
    """Tell the record of its folder, if there is one, that ``partial`` becomes ``path`` now."""
    home = _home(path)
    if home is not None:
        home.note(path, partial)


def note_growing(path: Path) -> None:
    """Tell the record of its folder, if it has one, of a file that is written to bit by bit."""
    home = _home(path)
    if home is not None:
        home.note(path, None)


def remove(path: Path) -> None:
    """Remove a file that the command made earlier and does not make now; others stay."""
    home = _home(path)
    if home is not None:
        home.remove(path)
    elif current_call() is None:
        path.unlink(missing_ok=True)


def keep_edited(path: Path) -> None:
    """Keep a file that the user has changed under another name, as it is to be written anew."""
    home = _home(path)
    if home is not None:
        home.keep_edited(path)


def _refuse_inputs(path: Path) -> None:
    """Refuse to replace what any command under way reads."""
    identity = _identity(path)
    for call in _under_way:
        if identity in call.inputs:
            raise OutputError(
                f"{path}: is an input of {call.command}, which stays as it is; name another output"
            )


def _home(path: Path) -> ResultsFolder | None:
    """The innermost folder of results that a path lies in."""
    absolute = path.absolute()
    homes = [
        results
        for call in _under_way
        for results in call.results
        if absolute.is_relative_to(results.folder)
    ]
    return max(homes, key=lambda each: len(each.folder.parts), default=None)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from others, by whatever name; None where there is no file."""
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return None
    return None if path.is_dir() else (stat.st_dev, stat.st_ino)
