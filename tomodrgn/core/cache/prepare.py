"""Building a cache: from pixels to Fourier coefficients on disk, once, in file order.

Images are read in blocks of bounded size, windowed, transformed, centered by their known shift and
written at their places. A build that was killed goes on after the last finished block; the file
appears under its name only when it is whole. One job builds a cache at a time.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tomodrgn.core.cache import layout
from tomodrgn.core.cache.attempt import (
    MAX_ATTEMPTS,
    check_space,
    file_identity,
    is_built,
    resume,
    scales_do_not_suit,
    start,
)
from tomodrgn.core.cache.belongings import discard, refuse_foreign
from tomodrgn.core.cache.fill import RescaleError, estimate_scale, fill, settle
from tomodrgn.core.cache.job import BLOCK_BYTES, plan_build
from tomodrgn.core.cache.levels import describe_gray_levels
from tomodrgn.core.cache.parts import build_parts
from tomodrgn.core.cache.power import joint_power
from tomodrgn.core.cache.progress import read_record
from tomodrgn.core.cache.publish import mark_finished, put_in_place
from tomodrgn.core.cache.team import ALONE, agreed, build_where_missing
from tomodrgn.core.errors import CacheError, DataError

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.cache.fill import Progress
    from tomodrgn.core.cache.job import BuildJob
    from tomodrgn.core.cache.power import BlockPower
    from tomodrgn.core.cache.team import Team
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.ownership.lease import Permit
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

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
    team: Team = ALONE,
    is_missing: bool = True,
) -> None:
    """Read, transform and store all images of a particle set.

    A build that was interrupted goes on where it stopped.

    Args:
        path: the cache; a cache of that name is replaced when the new one is whole.
        particles: the images, and their order in the cache.
        reader: loads their pixels.
        preparation: window and extent.
        spec: number type, and disk space to leave free.
        progress: called with images done and images in all.
        block_bytes: pixels read at once.
        team: processes that all call this, and share the work.
        is_missing: whether this process wants the cache built; another of the team may.

    Raises:
        DataError: pixels are not finite or do not fit the number type; nothing is left behind.
        CacheError: the disk has no room, or a file is in the way that is no cache.
        OutputError: another job builds the cache.
    """
    job = plan_build(
        path, particles, reader, preparation, spec, block_bytes=block_bytes, n_ranks=team.n_ranks
    )
    seen = file_identity(path)

    def build(team: Team, permit: Permit) -> None:
        told = ""
        with agreed(team, job.path):
            if team.rank == 0 and not is_built(job, seen):
                told = str(_begin(job, may_divide=spec.files is None))
        n_files = int(team.gather(told)[0] or 0)
        if n_files > 1:
            build_parts(job.in_files(n_files), spec.processes, show, team, permit)
        elif n_files:
            with agreed(team, job.path):
                if team.rank == 0:
                    _build_one(job.in_files(1), permit, show)

    show = progress or _ignore_progress
    with agreed(team, job.path):
        job.path.parent.mkdir(parents=True, exist_ok=True)
    build_where_missing(job.path, team, build, is_missing=is_missing)


def _begin(job: BuildJob, *, may_divide: bool) -> int:
    """How many files the cache is to have: as many as an attempt that was interrupted, if it may.

    Raises:
        CacheError: files are in the way.
    """
    job = _as_begun(job) if may_divide else job
    refuse_foreign(job)
    return max(1, len(job.parts))


def _as_begun(job: BuildJob) -> BuildJob:
    """The job divided as an earlier attempt at it, where there is one."""
    try:
        header, n_files = layout.read_header(job.partial), len(layout.part_files(job.partial))
    except CacheError:
        return job
    begun = job.in_files(max(1, n_files))
    if n_files:
        return begun if begun.header.build == header.build else job
    return begun if read_record(job.record, begun.digest()) else job


def _build_one(job: BuildJob, permit: Permit, progress: Progress) -> None:
    """Build a cache of one file."""
    check_space(job)
    try:
        rms, power = _fill_at_some_scale(job, permit, progress)
    except DataError:
        discard(job.path)
        raise
    permit.require()
    mark_finished(job.path, rms, describe_gray_levels(job, power))
    put_in_place(job.path)


def _fill_at_some_scale(
    job: BuildJob, permit: Permit, progress: Progress
) -> tuple[float, BlockPower]:
    """Fill the partial file, beginning again where its number type asks for another scale."""
    digest = job.digest()
    record = resume(job, digest)
    if record is None:
        discard(job.path)  # of another job, maybe of several files
        record = start(job, digest, estimate_scale(job))
    for _ in range(MAX_ATTEMPTS):
        fill(job, record, permit.require, progress)
        power = joint_power(record.power.values())
        try:
            return settle(job, power, record.scale), power
        except RescaleError as error:
            logger.info("%s: beginning again at scale %g", job.path, error.scale)
            record = start(job, digest, error.scale)
    raise scales_do_not_suit(job)


def _ignore_progress(_done: int, _total: int) -> None:
    """Show nothing."""
