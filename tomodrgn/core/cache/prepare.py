"""Building a cache: from pixels to Fourier coefficients on disk, once, in file order.

Images are read in blocks of bounded size, windowed, transformed, centred by their known shift and
written at their places. A build that was killed goes on after the last finished block; the file
appears under its name only when it is whole.
"""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from tomodrgn.core.cache.claim import claimed
from tomodrgn.core.cache.fill import ClaimLostError, RescaleError, estimate_scale, fill
from tomodrgn.core.cache.job import BLOCK_BYTES, plan_build
from tomodrgn.core.cache.layout import finish, read_header, write_skeleton
from tomodrgn.core.cache.progress import BuildRecord, read_record
from tomodrgn.core.errors import CacheError, DataError
from tomodrgn.core.files.atomic import atomic_path

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.cache.claim import Claim
    from tomodrgn.core.cache.fill import Progress
    from tomodrgn.core.cache.job import BuildJob
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

_MOST_ATTEMPTS = 3

logger = logging.getLogger(__name__)


def build_cache(
    path: Path,
    particles: ParticleSet,
    reader: Reader,
    preparation: PreparationSpec,
    spec: CacheSpec,
    *,
    progress: Progress | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> None:
    """Read, transform and store all images of a particle set.

    A build that was interrupted goes on where it stopped. While another process builds the same
    cache, this one waits, and then leaves the result in place.

    Args:
        path: the cache; a file of that name is replaced when the new one is whole.
        particles: the images, and their order in the cache.
        reader: loads their pixels.
        preparation: window and extent.
        spec: number type, and disk space to leave free.
        progress: called with images done and images in all.
        block_bytes: pixels read at once.

    Raises:
        DataError: pixels are not finite or do not fit the number type; nothing is left behind.
        CacheError: the disk has no room.
    """
    job = plan_build(path, particles, reader, preparation, spec, block_bytes=block_bytes)
    build_unless_built(job, file_identity(job.path), progress)


def file_identity(path: Path) -> tuple[int, int] | None:
    """What changes when a file is replaced, or None where there is none."""
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stat.st_ino, stat.st_mtime_ns


def build_unless_built(
    job: BuildJob, seen: tuple[int, int] | None, progress: Progress | None
) -> None:
    """Build, unless another process has replaced the file ``seen`` by what this job would build."""
    try:
        job.path.parent.mkdir(parents=True, exist_ok=True)
        while not _build_in_turn(job, seen, progress or _ignore_progress):
            logger.warning("%s: another process has taken the build over", job.path)
    except OSError as error:
        raise CacheError(
            f"{job.path}: the cache could not be built ({error}); make room or give another "
            "--cache, then run the same command again: finished parts are kept"
        ) from error


def _build_in_turn(job: BuildJob, seen: tuple[int, int] | None, progress: Progress) -> bool:
    """Build when no other process does; False when the claim was lost before the end."""
    with claimed(job.path) as claim:
        if file_identity(job.path) != seen and _is_result(job):
            logger.info("%s: built by another process", job.path)
            return True
        try:
            _build(job, claim, progress)
        except ClaimLostError:
            return False
        except DataError:
            _discard(job)
            raise
        return True


def _ignore_progress(_done: int, _total: int) -> None:
    """Show nothing."""


def _is_result(job: BuildJob) -> bool:
    """Whether the file at the job's path is what the job would build."""
    try:
        found = read_header(job.path)
    except CacheError:
        return False
    return found.is_finished and replace(found, scale=1.0, rms=0.0) == replace(job.header, rms=0.0)


def _build(job: BuildJob, claim: Claim, progress: Progress) -> None:
    """Fill a partial file, finish it and give it its name; the claim is held."""
    _check_space(job)
    rms = _fill_at_some_scale(job, claim, progress)
    finish(job.partial, rms)
    _flush(job.partial)
    if not claim.is_held():
        raise ClaimLostError
    job.partial.replace(job.path)
    _flush(job.path.parent)
    job.record.unlink(missing_ok=True)


def _fill_at_some_scale(job: BuildJob, claim: Claim, progress: Progress) -> float:
    """Fill the partial file, beginning again where its number type asks for another scale."""
    digest = job.digest()
    record = _resume(job, digest) or _start(job, digest, estimate_scale(job))
    for _ in range(_MOST_ATTEMPTS):
        try:
            return fill(job, record, claim, progress)
        except RescaleError as error:
            logger.info("%s: beginning again at scale %g", job.path, error.scale)
            record = _start(job, digest, error.scale)
    raise DataError(
        f"{job.particles.source}: the images differ too much in strength to share float16; store "
        "them as float32 (cache.dtype), or leave the strongest out with --ind-imgs"
    )


def _resume(job: BuildJob, digest: str) -> BuildRecord | None:
    """The record of an earlier attempt at the same job, or None where there is none."""
    record = read_record(job.record, digest)
    try:
        header = read_header(job.partial) if record else None
    except CacheError:
        return None
    if record is None or header is None or header.scale != record.scale:
        return None
    logger.info("%s: going on after %d finished blocks", job.path, len(record.power))
    record.write()
    return record


def _start(job: BuildJob, digest: str, scale: float) -> BuildRecord:
    """Begin a build: a partial file without coefficients and an empty record."""
    job.record.unlink(missing_ok=True)
    with atomic_path(job.partial) as beside:
        write_skeleton(beside, replace(job.header, scale=scale), job.particles)
    record = BuildRecord(job.record, digest, scale)
    record.write()
    return record


def _discard(job: BuildJob) -> None:
    """Leave nothing of an attempt that cannot succeed."""
    job.record.unlink(missing_ok=True)
    job.partial.unlink(missing_ok=True)


def _check_space(job: BuildJob) -> None:
    """Log the size of the cache, and refuse a disk without room for it."""
    needed = job.header.coefficient_bytes
    there = job.partial.stat().st_blocks * 512 if job.partial.exists() else 0
    free = shutil.disk_usage(job.path.parent).free
    sizes = f"{needed / 1e9:.3g} GB for {job.header.n_images} images, {free / 1e9:.1f} GB free"
    logger.info("%s: %s", job.path, sizes)
    if free + there < needed + job.reserve_bytes:
        raise CacheError(
            f"{job.path}: the disk has no room for the cache ({sizes}, "
            f"{job.reserve_bytes / 1e9:g} GB kept in reserve); free space or give another --cache"
        )


def _flush(path: Path) -> None:
    """Have the system write a file or the entries of a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
