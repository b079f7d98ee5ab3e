"""One writer of a place at a time, on local and network file systems.

The writer holds a small file, ``writer.lock`` in a folder or ``NAME.lock`` beside a file, which
says host, process and its start time, and whose time it renews every few seconds. A writer of this
machine that has ended is succeeded at once; one of another machine when its file was not renewed
for :data:`LEASE_S`, as watched by the one who waits, since clocks of two machines differ. Nothing
rests on the file locks of the system, which many cluster file systems do not keep.
"""

from __future__ import annotations

import logging
import socket
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import LeaseSettingsMismatch, OwnerRecord, SoftFileLease, Timeout

from tomodrgn.core.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER_LOCK: Final = "writer.lock"
"""In a folder that somebody writes to."""

LEASE_S: Final = 90.0
"""Seconds without a sign of life after which a writer of another machine counts as gone; longer
than NFS remembers file attributes."""

_HEARTBEAT_S: Final = 10.0
_POLL_S: Final = 0.2
_NAMELESS_S: Final = 5.0
_FIRST_PID_NAMESPACE: Final = 0xEFFFFFFC  # fixed by Linux; filelock names all others

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to a place, while the block runs that asked for it."""

    lock: SoftFileLease

    def is_held(self) -> bool:
        """Whether nobody has taken it over; somebody may, after a machine slept for long."""
        return self.lock.compromise is None and self.lock.is_lock_held_by_us

    def require(self) -> None:
        """Go on only while it is held.

        Raises:
            OutputError: it was lost.
        """
        if not self.is_held():
            raise _lost(self.lock.lock_file)

    def permit(self) -> Permit:
        """What the other processes of this job write by, while this one holds the lease."""
        return Permit(Path(self.lock.lock_file), self.lock.token or "")


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to write beside the process of the same job that holds the lease.

    It can be sent to other processes, which see by it whether they reach the same place.
    """

    lock: Path
    token: str

    def is_valid(self) -> bool:
        """Whether the lease is held, and its lock seen from here."""
        for pause in (0.0, _POLL_S, 2 * _POLL_S):  # a lock that others look at may be away
            if pause:
                time.sleep(pause)
                look_again(self.lock.parent)
            owner = _lock_at(self.lock, LEASE_S).owner
            if owner is not None and owner.token == self.token:
                return True
        return False

    def require(self) -> None:
        """Go on only while the lease is held.

        Raises:
            OutputError: it was lost, or its holder has ended.
        """
        if not self.is_valid():
            raise _lost(str(self.lock))


def look_again(folder: Path) -> None:
    """Have a network file system forget which files it did not find in a folder."""
    with suppress(OSError):
        list(folder.iterdir())


def lock_of_folder(folder: Path) -> Path:
    """The lock of a folder."""
    return folder / FOLDER_LOCK


def lock_of_file(path: Path) -> Path:
    """The lock of a file, beside it."""
    return path.with_name(f"{path.name}.lock")


@contextmanager
def one_writer(lock: Path, *, place: Path, lease_s: float = LEASE_S) -> Iterator[Lease]:
    """Be the one writer of a place for the block.

    Args:
        lock: its lock; the folder exists.
        place: what is written, for messages.
        lease_s: see :data:`LEASE_S`; the same for all who write there.

    Raises:
        OutputError: another process writes there, or the lock cannot be written.
    """
    lease = _lock_at(lock, lease_s)
    try:
        _acquire(lease, place, lease_s)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"{lock}: cannot be written: {error.strerror or error}; name another place"
        ) from error
    try:
        yield Lease(lease)
    finally:
        with suppress(OSError):
            lease.release()


def _lock_at(lock: Path, lease_s: float) -> SoftFileLease:
    return SoftFileLease(
        lock,
        lease_duration=lease_s,
        heartbeat_interval=min(_HEARTBEAT_S, lease_s / 4),
        poll_interval=_POLL_S,
        thread_local=False,
        is_singleton=False,
    )


def _lost(lock: str) -> OutputError:
    return OutputError(
        f"{lock}: another process writes here now, as this one gave no sign of life for "
        f"{LEASE_S:g} s; run the same command again when that one has ended"
    )


def _acquire(lease: SoftFileLease, place: Path, lease_s: float) -> None:
    """Take the lease, if need be after watching whether a writer elsewhere still lives.

    Raises:
        OutputError: somebody else holds it and lives.
    """
    deadline = time.monotonic() + lease_s + 2 * _POLL_S
    nameless = _Nameless(Path(lease.lock_file))
    first: tuple[str | None, float] | None = None
    while True:
        try:
            lease.acquire(timeout=0)
        except LeaseSettingsMismatch as error:
            raise OutputError(
                f"{place}: a process of another version of tomodrgn is or was writing there; "
                f"remove {lease.lock_file} if none runs any more"
            ) from error
        except Timeout:
            owner, beat = lease.owner, _last_beat(lease)
        else:
            return
        if owner is None and nameless.is_left():
            continue
        seen = None if owner is None else (owner.token, beat)
        if first is None and owner is not None and not _is_here(owner):
            logger.info(
                "%s: %s is or was writing there; watching for %g s whether it lives",
                place, _describe(owner), lease_s,
            )  # fmt: skip
            first = seen
        if seen not in {None, first} or time.monotonic() > deadline:
            raise OutputError(
                f"{place}: {_describe(owner)} is writing there; wait until it has ended, or name "
                "another place"
            )
        time.sleep(_POLL_S)


class _Nameless:
    """A lock in which nobody has written a name, as its maker was killed before.

    Args:
        lock: its path.
    """

    def __init__(self, lock: Path) -> None:
        self._lock = lock
        self._seen: tuple[int, int] | None = None
        self._since = time.monotonic()

    def is_left(self) -> bool:
        """Whether it was one for so long that nobody will write a name; it is removed then."""
        try:
            stat = self._lock.lstat()
        except OSError:
            return False
        found = stat.st_ino, stat.st_mtime_ns
        if stat.st_size or found != self._seen:
            self._seen, self._since = None if stat.st_size else found, time.monotonic()
            return False
        if time.monotonic() - self._since < _NAMELESS_S:
            return False
        self._lock.unlink(missing_ok=True)
        return True


def _last_beat(lease: SoftFileLease) -> float:
    """When a lease was last renewed, by the clock of its file system; 0 where nobody holds it."""
    try:
        return Path(lease.lock_file).stat().st_mtime
    except OSError:
        return 0.0


def _is_here(owner: OwnerRecord) -> bool:
    """Whether its owner is a process whose life can be seen from here."""
    host, _, space = owner.hostname.partition("?pidns-")
    try:
        own_space = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        own_space = _FIRST_PID_NAMESPACE
    own = "" if own_space == _FIRST_PID_NAMESPACE else f"{own_space:x}"
    return (host, space) == (socket.gethostname(), own)


def _describe(owner: OwnerRecord | None) -> str:
    if owner is None:
        return "another process"
    return f"process {owner.pid} on {owner.hostname.partition('?')[0]}"
