"""The processes of a job that build a cache together, and which of them see the same folder.

The main process holds the lock of the cache while it is built; those that see its lock share the
work. Where every node has a folder of its own, the first process of each node builds alone.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from tomodrgn.core.errors import CacheError, OutputError
from tomodrgn.core.ownership.lease import Permit, lock_of_file, one_writer
from tomodrgn.core.ownership.leftovers import remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    Build = Callable[["Team", Permit], None]


class Team(Protocol):
    """Processes that meet in some calls, which all of them make in the same order."""

    @property
    def rank(self) -> int:
        """Number of this process; 0 is the main one."""

    @property
    def n_ranks(self) -> int:
        """How many there are."""

    @property
    def is_first_on_node(self) -> bool:
        """Whether this is the first of its machine."""

    def gather(self, text: str) -> list[str]:
        """The texts of all processes, by their rank."""

    def agreement(self) -> AbstractContextManager[None]:
        """Go on after the block once it has succeeded in all processes; they do not meet in it."""


@dataclass(frozen=True, slots=True)
class Alone:
    """A process without others."""

    rank: int = 0
    n_ranks: int = 1
    is_first_on_node: bool = True

    def gather(self, text: str) -> list[str]:
        """See :class:`Team`."""
        return [text]

    def agreement(self) -> AbstractContextManager[None]:
        """See :class:`Team`."""
        return nullcontext()


ALONE: Final = Alone()


@contextmanager
def agreed(team: Team, path: Path) -> Iterator[None]:
    """An agreement of a team in whose block a cache is built, with what the system refuses said.

    Raises:
        CacheError: something could not be read or written.
    """
    with team.agreement():
        try:
            yield
        except OutputError:
            raise
        except OSError as error:
            raise CacheError(
                f"{path}: the cache could not be built ({error}); make room or give another "
                "--cache, then run the same command again: finished parts are kept"
            ) from error


def build_where_missing(path: Path, team: Team, build: Build, *, is_missing: bool) -> None:
    """Build a cache once in every folder that the processes of a job see under its name.

    Args:
        path: of the cache, in each of them.
        team: all processes, which all call this.
        build: builds it; called by all processes of the team that it is given.
        is_missing: whether this process wants it built.

    Raises:
        OutputError: another job builds it.
    """
    lock = lock_of_file(path)
    with ExitStack() as held:
        token = ""
        with team.agreement():
            if team.rank == 0 and is_missing:
                token = held.enter_context(_one_builder(path, lock)).token
        permit = Permit(lock, team.gather(token)[0])
        sees_it = bool(permit.token) and (team.rank == 0 or permit.is_valid())
        if all(team.gather("sees it" if sees_it else "")):
            build(team, permit)
            return
        with team.agreement():
            if team.rank == 0 and is_missing:
                build(ALONE, permit)
    with team.agreement():
        if team.is_first_on_node and is_missing and not sees_it:
            with _one_builder(path, lock) as permit:
                build(ALONE, permit)


@contextmanager
def _one_builder(path: Path, lock: Path) -> Iterator[Permit]:
    """Hold the lock of a cache, in a folder without what dead writers left."""
    with one_writer(lock, place=path) as lease:
        remove_leftovers(path.parent)
        yield lease.permit()
