"""Building a cache of several files, by the processes of one job on any number of machines.

The main process agrees on one scale through the partial file that names the parts; every process
fills its share of them, alone or with workers; then all give their parts the names and the main
process the cache. A build that was killed goes on with whatever parts and blocks are there, also
with another number of processes.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tomodrgn.core.cache import layout
from tomodrgn.core.cache.attempt import (
    MAX_ATTEMPTS,
    check_space,
    resume,
    scales_do_not_suit,
    start,
)
from tomodrgn.core.cache.belongings import discard
from tomodrgn.core.cache.fill import RescaleError, estimate_scale, fill, settle
from tomodrgn.core.cache.job import partial_of, record_of
from tomodrgn.core.cache.levels import describe_gray_levels
from tomodrgn.core.cache.power import joint_power
from tomodrgn.core.cache.progress import (
    count_blocks,
    powers_from_text,
    powers_to_text,
    read_record,
)
from tomodrgn.core.cache.publish import mark_finished, move_parts, put_in_place
from tomodrgn.core.cache.team import agreed
from tomodrgn.core.cache.workers import in_processes, in_turn
from tomodrgn.core.errors import CacheError, DataError
from tomodrgn.core.files.atomic import atomic_path
from tomodrgn.core.ownership.lease import look_again

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tomodrgn.core.cache.fill import Progress
    from tomodrgn.core.cache.job import BuildJob
    from tomodrgn.core.cache.power import BlockPower
    from tomodrgn.core.cache.progress import BuildRecord
    from tomodrgn.core.cache.team import Team
    from tomodrgn.core.cache.workers import Show, Task
    from tomodrgn.core.ownership.lease import Permit

logger = logging.getLogger(__name__)


class _AbandonedError(Exception):
    """Another process of this job has found that the cache cannot be built."""


@dataclass(frozen=True, slots=True)
class _Share:
    """What one process of a team builds: every so many of the parts."""

    job: BuildJob
    team: Team
    permit: Permit

    def numbers(self) -> list[int]:
        """Parts of this process."""
        return list(range(len(self.job.parts)))[self.team.rank :: self.team.n_ranks]

    def paths(self) -> list[Path]:
        """The files of these."""
        return [self.job.path.with_name(self.job.parts[number].name) for number in self.numbers()]

    def told_by_main(self, text: str) -> str:
        """What the main process says, in all of them."""
        return self.team.gather(text)[0]


def build_parts(
    job: BuildJob, processes: int, progress: Progress, team: Team, permit: Permit
) -> None:
    """Build a cache of several files.

    Args:
        job: the whole cache.
        processes: how many work for each process of the team, one part each at a time.
        progress: called with images done, by anybody, and images in all.
        team: processes that all call this and see the same folder.
        permit: by which they write.
    """
    share = _Share(job, team, permit)
    for _ in range(MAX_ATTEMPTS):
        told = ""
        with agreed(team, job.path):
            if team.rank == 0:
                told = _agree_on_scale(job).hex()
        scale = float.fromhex(share.told_by_main(told))
        with _leaving_nothing(share), agreed(team, job.path):
            _fill_all(share, scale, processes, lambda: progress(_done(job), job.header.n_images))
        power = _joint_power(share, scale)
        told = ""
        with agreed(team, job.path):
            if team.rank == 0:
                told = _settle(job, power, scale)
        told = share.told_by_main(told)
        if told:
            _publish(share, float.fromhex(told), power)
            break
    else:
        discard(job.path)
        raise scales_do_not_suit(job)
    progress(job.header.n_images, job.header.n_images)


def fill_part(part: BuildJob, index: str, scale: float, permit: Permit, show: Show) -> None:
    """Fill one file.

    Args:
        part: the file.
        index: name of the file that names it.
        scale: what all parts are divided by.
        permit: by which this process writes.
        show: called after every block.

    Raises:
        OutputError: another job builds the cache now.
    """
    whole = replace(part, path=part.path.with_name(index))

    def go_on() -> None:
        permit.require()
        if not whole.partial.exists():
            raise _AbandonedError

    permit.require()
    if not _is_current(whole, scale):
        return
    digest = part.digest()
    record = resume(part, digest, scale) or start(part, digest, scale)
    if not _is_filled(part, record):
        try:
            fill(part, record, go_on, lambda _done, _total: show())
        except _AbandonedError:
            logger.info("%s: given up", part.path)


def _agree_on_scale(job: BuildJob) -> float:
    """The scale of the attempt that is under way, or of a new one."""
    check_space(job)
    try:
        header = layout.read_header(job.partial)
    except CacheError:
        header = None
    if header is not None and header.build == job.header.build:
        return header.scale
    discard(job.path)
    scale = estimate_scale(job)
    _begin(job, scale)
    return scale


def _begin(job: BuildJob, scale: float) -> None:
    """Write the file that names the parts; those of another scale lose their worth by it."""
    header = replace(job.header, scale=scale)
    with atomic_path(job.partial, is_own=True) as beside:
        layout.write_skeleton(beside, header, job.particles, job.parts)


def _is_current(job: BuildJob, scale: float) -> bool:
    """Whether the parts are still to be filled at this scale."""
    look_again(job.path.parent)
    try:
        header = layout.read_header(job.partial)
    except CacheError:
        return False
    return header.build == job.header.build and header.scale == scale


def _fill_all(share: _Share, scale: float, processes: int, show: Show) -> None:
    """Fill the parts of this process that are not filled yet."""
    job = share.job
    left = [number for number in share.numbers() if _record(job, number, scale) is None]
    if not left:
        return
    count = min(processes, len(left))
    work = in_turn if count == 1 else in_processes(count)
    tasks: Iterator[Task] = ((job.part(number), job.path.name, scale) for number in left)
    try:
        work(fill_part, tasks, share.permit, show)
    except DataError:
        job.partial.unlink(missing_ok=True)  # by which all others see it
        raise


@contextmanager
def _leaving_nothing(share: _Share) -> Iterator[None]:
    """Remove the parts of this process when it turns out that the cache cannot be built."""
    try:
        yield
    except BaseException:
        if not share.job.partial.exists():
            for part in share.paths():
                discard(part)
        raise


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


def _joint_power(share: _Share, scale: float) -> BlockPower:
    """The power of the blocks of all parts, whoever filled them."""
    job, own = share.job, []
    for number in share.numbers():
        record = _record(job, number, scale)
        if record is not None:
            first = job.parts[number].first
            own += [
                replace(power, damaged={first + row: code for row, code in power.damaged.items()})
                for power in record.power.values()
            ]
    texts = share.team.gather(powers_to_text(dict(enumerate(own))))
    return joint_power(power for text in texts for power in powers_from_text(text).values())


def _settle(job: BuildJob, power: BlockPower, scale: float) -> str:
    """The normalization as text; none where the parts have to be filled again at another scale."""
    try:
        return settle(job, power, scale).hex()
    except RescaleError as error:
        logger.info("%s: beginning again at scale %g", job.path, error.scale)
        _begin(job, error.scale)
        return ""
    except DataError:
        discard(job.path)
        raise


def _publish(share: _Share, rms: float, power: BlockPower) -> None:
    """Give the cache and its parts their names."""
    job, team = share.job, share.team
    with agreed(team, job.path):
        share.permit.require()
        for part in share.paths():
            mark_finished(part, rms)
    with agreed(team, job.path):
        if team.rank == 0:
            mark_finished(job.path, rms, describe_gray_levels(job, power))
    with agreed(team, job.path):
        share.permit.require()
        move_parts(share.paths())
    with agreed(team, job.path):
        if team.rank == 0:
            share.permit.require()
            put_in_place(job.path)
    look_again(job.path.parent)


def _done(job: BuildJob) -> int:
    """Images that are done in all parts, by whoever did them."""
    return sum(
        min(
            part.n_images,
            count_blocks(record_of(job.path.with_name(part.name))) * job.images_per_block,
        )
        for part in job.parts
    )
