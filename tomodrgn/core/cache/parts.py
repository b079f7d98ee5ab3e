"""Building a cache of several files, by several processes on any number of machines.

All agree on one scale through the partial file that names the parts; each part is filled under a
claim of its own by whoever comes first, and whoever finds all parts filled gives the cache its
name. Nobody has to know of the others, and any of them may end at any time.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from tomodrgn.core.cache import layout
from tomodrgn.core.cache.attempt import (
    MOST_ATTEMPTS,
    check_space,
    discard,
    is_built,
    part_paths,
    publish,
    resume,
    scales_do_not_suit,
    start,
)
from tomodrgn.core.cache.claim import claimed, claimed_if_free
from tomodrgn.core.cache.fill import ClaimLostError, RescaleError, estimate_scale, fill, settle
from tomodrgn.core.cache.job import partial_of, record_of
from tomodrgn.core.cache.levels import describe_gray_levels
from tomodrgn.core.cache.power import joint_power
from tomodrgn.core.cache.progress import count_blocks, read_record
from tomodrgn.core.cache.workers import in_processes, in_turn
from tomodrgn.core.errors import CacheError, DataError
from tomodrgn.core.files.atomic import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tomodrgn.core.cache.fill import Progress
    from tomodrgn.core.cache.job import BuildJob
    from tomodrgn.core.cache.progress import BuildRecord
    from tomodrgn.core.cache.workers import Show

logger = logging.getLogger(__name__)


def build_parts(
    job: BuildJob, seen: tuple[int, int] | None, processes: int, progress: Progress
) -> None:
    """Build a cache of several files together with all others that build it.

    Args:
        job: the whole cache.
        seen: identity of the file that is to be replaced.
        processes: how many work here, one part each at a time.
        progress: called with images done, by anybody, and images in all.
    """
    try:
        for _ in range(MOST_ATTEMPTS):
            with claimed(job.path):
                if is_built(job, seen):
                    break
                scale = _agree_on_scale(job)
            _fill_all(job, scale, processes, lambda: progress(_done(job), job.header.n_images))
            with claimed(job.path):
                if is_built(job, seen) or _finish(job, scale):
                    break
        else:
            raise scales_do_not_suit(job)
    except DataError:
        discard(job.path)
        raise
    _clear(job)
    progress(job.header.n_images, job.header.n_images)


def _clear(job: BuildJob) -> None:
    """Remove what is left of builders that died, or began on a part when all was done."""
    for part in part_paths(job.path, job.path):
        with claimed_if_free(part) as claim:
            if claim is not None:
                partial_of(part).unlink(missing_ok=True)
                record_of(part).unlink(missing_ok=True)


def fill_part(part: BuildJob, index: str, scale: float, *, waits: bool, show: Show) -> None:
    """Fill one file, unless another process does and this one does not wait for it.

    Args:
        part: the file.
        index: name of the file that names it.
        scale: what all parts are divided by.
        waits: wait for another process, to take over if it dies.
        show: called after every block.
    """
    with (claimed if waits else claimed_if_free)(part.path) as claim:
        whole = replace(part, path=part.path.with_name(index))
        if claim is None or not _is_current(whole, scale):
            return
        digest = part.digest()
        record = resume(part, digest, scale) or start(part, digest, scale)
        if not _is_filled(part, record):
            try:
                fill(part, record, claim, lambda _done, _total: show())
            except ClaimLostError:
                logger.warning("%s: another process has taken this part over", part.path)


def _agree_on_scale(job: BuildJob) -> float:
    """The scale of the attempt that is under way, or of a new one; the claim is held."""
    check_space(job)
    try:
        header = layout.read_header(job.partial)
    except CacheError:
        header = None
    if header is not None and header.build == job.header.build:
        return header.scale
    _refuse_to_replace_others(job)
    discard(job.path)
    scale = estimate_scale(job)
    _begin(job, scale)
    return scale


def _refuse_to_replace_others(job: BuildJob) -> None:
    """Leave files alone that bear the name of a part and are none."""
    for file in job.parts:
        path = job.path.with_name(file.name)
        if path.exists() and not layout.is_cache(path):
            raise CacheError(
                f"{path}: this file is not a tomodrgn cache and is left alone; give another --cache"
            )


def _begin(job: BuildJob, scale: float) -> None:
    """Write the file that names the parts; those of another scale lose their worth by it."""
    header = replace(job.header, scale=scale)
    with atomic_path(job.partial) as beside:
        layout.write_skeleton(beside, header, job.particles, job.parts)


def _is_current(job: BuildJob, scale: float) -> bool:
    """Whether the parts are still to be filled at this scale."""
    try:
        header = layout.read_header(job.partial)
    except CacheError:
        return False
    return header.build == job.header.build and header.scale == scale


def _fill_all(job: BuildJob, scale: float, processes: int, show: Show) -> None:
    """Fill the parts that nobody fills, then those whose builders died."""
    count = min(processes, len(job.parts))
    work = in_turn if count == 1 else in_processes(count)
    waits = False
    while _is_current(job, scale):
        left = [number for number in range(len(job.parts)) if _record(job, number, scale) is None]
        if not left:
            return
        tasks: Iterator[tuple[BuildJob, str, float, bool]] = (
            (job.part(number), job.path.name, scale, waits) for number in left
        )
        work(fill_part, tasks, show)
        waits = True


def _record(job: BuildJob, number: int, scale: float) -> BuildRecord | None:
    """The record of a part, if all of it is there at this scale."""
    file = job.parts[number]
    path = job.path.with_name(file.name)
    record = read_record(record_of(path), f"{job.header.build} {number + 1}")
    if record is None or record.scale != scale or not partial_of(path).exists():
        return None
    part = replace(job, header=replace(job.header, n_images=file.n_images))
    return record if _is_filled(part, record) else None


def _is_filled(part: BuildJob, record: BuildRecord) -> bool:
    """Whether every block of a file is done."""
    return len(record.power) == -(-part.header.n_images // part.images_per_block)


def _finish(job: BuildJob, scale: float) -> bool:
    """Give the cache its name if all is there at a scale that suits; the claim is held."""
    numbers = range(len(job.parts))
    records = [_record(job, number, scale) for number in numbers]
    filled = [record for record in records if record is not None]
    if not _is_current(job, scale) or len(filled) < len(records):
        return False
    firsts = [part.first for part in job.parts]
    power = joint_power(
        replace(power, damaged={first + row: code for row, code in power.damaged.items()})
        for first, record in zip(firsts, filled, strict=True)
        for power in record.power.values()
    )
    try:
        rms = settle(job, power, scale)
    except RescaleError as error:
        logger.info("%s: beginning again at scale %g", job.path, error.scale)
        _begin(job, error.scale)
        return False
    parts = [job.path.with_name(part.name) for part in job.parts]
    publish(job.path, rms, parts, describe_gray_levels(job, power))
    return True


def _done(job: BuildJob) -> int:
    """Images that are done in all parts, by whoever did them."""
    return sum(
        min(
            part.n_images,
            count_blocks(record_of(job.path.with_name(part.name))) * job.images_per_block,
        )
        for part in job.parts
    )
