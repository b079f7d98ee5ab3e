"""One builder at a time, on any file system: a claim file with a heartbeat.

File locks fail silently on many cluster file systems, so a builder creates ``<target>.claim``
exclusively and touches it every few seconds. A claim whose process is gone, or whose heart has
stopped for a while *as watched by the waiting process* (clocks of two nodes may differ), is taken
over. Should a slow owner ever lose its claim while it works, it finds out by :meth:`Claim.is_held`;
it then stops, and nothing is harmed, because two builders would write the same bytes.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

HEARTBEAT_S: Final = 5.0
"""Seconds between two beats."""

PATIENCE_S: Final = 90.0
"""Seconds without a beat after which a claim of an unknown process is stale; longer than NFS
remembers file attributes."""

_POLL_S: Final = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, recognisable from the outside.

    ``boot`` and ``namespace`` say where ``pid`` is meaningful, ``started`` tells it from a later
    process with the same number.
    """

    token: str
    host: str
    boot: str
    namespace: str
    pid: int
    started: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to build a file."""

    path: Path
    owner: Owner

    def is_held(self) -> bool:
        """Whether nobody has taken the claim over."""
        return _read_owner(self.path) == self.owner

    def release(self) -> None:
        """Let others build."""
        if self.is_held():
            self.path.unlink(missing_ok=True)


@contextmanager
def claimed(target: Path, *, patience_s: float = PATIENCE_S) -> Iterator[Claim]:
    """Hold the claim on ``target`` for the block; waits while another process holds it."""
    claim = _claim_on(target)
    _acquire(claim, patience_s)
    with _beating(claim):
        yield claim


@contextmanager
def claimed_if_free(target: Path) -> Iterator[Claim | None]:
    """Hold the claim on ``target`` for the block, or None while another process holds it."""
    claim = _claim_on(target)
    if not _create(claim):
        owner = _read_owner(claim.path)
        if owner is None or not _is_gone(owner):
            yield None
            return
        _set_aside(claim.path, owner)
        if not _create(claim):
            yield None
            return
    with _beating(claim):
        yield claim


def _claim_on(target: Path) -> Claim:
    """A claim of this process that is still to be made."""
    return Claim(target.with_name(f"{target.name}.claim"), _this_process())


@contextmanager
def _beating(claim: Claim) -> Iterator[None]:
    """Keep a claim alive for the block, then let go of it."""
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(claim, stop), daemon=True)
    heart.start()
    try:
        yield
    finally:
        stop.set()
        heart.join()
        claim.release()


def _acquire(claim: Claim, patience_s: float) -> None:
    """Create the claim file, after its present owner has let go or died."""
    silent_since, last_beat = time.monotonic(), None
    while not _create(claim):
        owner, beat = _read_owner(claim.path), _beat_time(claim.path)
        if beat != last_beat:
            if last_beat is None:
                logger.info("%s: waiting for %s", claim.path, _describe(owner))
            silent_since, last_beat = time.monotonic(), beat
        silent = time.monotonic() - silent_since > patience_s
        if silent or (owner is not None and _is_gone(owner)):
            logger.info("%s: taking over from %s, which is gone", claim.path, _describe(owner))
            _set_aside(claim.path, owner)
        else:
            time.sleep(_POLL_S)


def _create(claim: Claim) -> bool:
    """Whether the claim file could be created."""
    try:
        descriptor = os.open(claim.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(asdict(claim.owner)))
    return True


def _set_aside(path: Path, stale: Owner | None) -> None:
    """Remove the claim of a stale owner; one that was renewed meanwhile is given back."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with suppress(FileNotFoundError):
        path.rename(aside)
        if _read_owner(aside) != stale:
            with suppress(OSError):
                path.hardlink_to(aside)
        aside.unlink()


def _beat(claim: Claim, stop: threading.Event) -> None:
    """Touch the claim until told to stop or until it is lost."""
    while not stop.wait(HEARTBEAT_S):
        with suppress(OSError):
            if not claim.is_held():
                return
            os.utime(claim.path)


def _beat_time(path: Path) -> int | None:
    """Time of the last beat; opening the file makes network file systems look again."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return None


def _read_owner(path: Path) -> Owner | None:
    """Owner of a claim file, or None where it is missing or still being written."""
    try:
        return Owner(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _this_process() -> Owner:
    """This process as an owner."""
    pid = os.getpid()
    return Owner(
        token=secrets.token_hex(8),
        host=socket.gethostname(),
        boot=_boot(),
        namespace=_namespace(),
        pid=pid,
        started=_started(pid) or "",
    )


def _is_gone(owner: Owner) -> bool:
    """Whether an owner is known to have ended; False where that cannot be seen from here."""
    if not owner.started or (owner.boot, owner.namespace) != (_boot(), _namespace()):
        return False
    return _started(owner.pid) != owner.started


def _describe(owner: Owner | None) -> str:
    return "another process" if owner is None else f"process {owner.pid} on {owner.host}"


def _boot() -> str:
    """Identity of the running system; empty where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _namespace() -> str:
    """Identity of the space in which process numbers count."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """Start time of a living process in clock ticks, None where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else fields[18]
