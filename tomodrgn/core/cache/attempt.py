"""Attempts to build a file of coefficients: begun or taken up again."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from tomodrgn.core.cache import layout
from tomodrgn.core.cache.job import partial_of
from tomodrgn.core.cache.progress import BuildRecord, read_record
from tomodrgn.core.errors import CacheError, DataError
from tomodrgn.core.files.atomic import atomic_path

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.cache.job import BuildJob

MAX_ATTEMPTS = 3
"""Scales that are tried."""

logger = logging.getLogger(__name__)


def file_identity(path: Path) -> tuple[int, int] | None:
    """What changes when a file is replaced, or None where there is none."""
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stat.st_ino, stat.st_mtime_ns


def is_built(job: BuildJob, seen: tuple[int, int] | None) -> bool:
    """Whether the file ``seen`` was replaced by what the job would build.

    Raises:
        CacheError: it was replaced by something else.
    """
    if file_identity(job.path) in {seen, None}:
        return False
    try:
        found = layout.read_header(job.path)
    except CacheError:
        found = None
    wanted = replace(job.header, rms=0.0, build="")
    if (
        found is None
        or not found.is_finished
        or replace(found, scale=1.0, rms=0.0, build="") != wanted
    ):
        raise CacheError(
            f"{job.path}: another process has put a file here meanwhile; run the same command again"
        )
    logger.info("%s: built by another process", job.path)
    return True


def resume(job: BuildJob, digest: str, scale: float | None = None) -> BuildRecord | None:
    """The record of an earlier attempt at the same job, or None where there is none.

    Args:
        job: one file.
        digest: its digest.
        scale: the only one that will do, if any.
    """
    record = read_record(job.record, digest)
    try:
        header = layout.read_header(job.partial) if record else None
    except CacheError:
        return None
    if record is None or header is None or header.scale != record.scale:
        return None
    if scale is not None and record.scale != scale:
        return None
    logger.info("%s: going on after %d finished blocks", job.path, len(record.power))
    record.write()
    return record


def start(job: BuildJob, digest: str, scale: float) -> BuildRecord:
    """Begin a file: a partial one without coefficients and an empty record."""
    job.record.unlink(missing_ok=True)
    with atomic_path(job.partial, is_own=True) as beside:
        layout.write_skeleton(beside, replace(job.header, scale=scale), job.particles)
    record = BuildRecord(job.record, digest, scale)
    record.write()
    return record


def check_space(job: BuildJob) -> None:
    """Log the size of the cache, and refuse a disk without room for it."""
    needed = job.header.coefficient_bytes
    partials = [job.partial, *(partial_of(job.path.with_name(part.name)) for part in job.parts)]
    there = sum(partial.stat().st_blocks * 512 for partial in partials if partial.exists())
    free = shutil.disk_usage(job.path.parent).free
    sizes = f"{needed / 1e9:.3g} GB for {job.header.n_images} images, {free / 1e9:.1f} GB free"
    files = f" in {len(job.parts)} files" if job.parts else ""
    logger.info("%s: %s%s", job.path, sizes, files)
    if free + there < needed + job.reserve_bytes:
        raise CacheError(
            f"{job.path}: the disk has no room for the cache ({sizes}, "
            f"{job.reserve_bytes / 1e9:g} GB kept in reserve); free space or give another --cache"
        )


def scales_do_not_suit(job: BuildJob) -> DataError:
    """The fault of images that no scale suits."""
    return DataError(
        f"{job.particles.source}: the images differ too much in strength to share float16; store "
        "them as float32 (cache.dtype), or leave the strongest out with --ind-imgs"
    )
