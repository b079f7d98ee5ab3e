"""Building a cache: from pixels to Fourier coefficients on disk, once, in file order.

Images are read in blocks of bounded size, windowed, transformed, centred by their known shift and
written at their places. A build that was killed goes on after the last finished block; the file
appears under its name only when it is whole.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tomodrgn.core.cache.attempt import (
    MOST_ATTEMPTS,
    check_space,
    discard,
    file_identity,
    is_built,
    publish,
    resume,
    scales_do_not_suit,
    start,
)
from tomodrgn.core.cache.claim import claimed
from tomodrgn.core.cache.fill import (
    ClaimLostError,
    RescaleError,
    estimate_scale,
    fill,
    settle,
)
from tomodrgn.core.cache.job import BLOCK_BYTES, plan_build
from tomodrgn.core.cache.levels import describe_gray_levels
from tomodrgn.core.cache.parts import build_parts
from tomodrgn.core.cache.power import joint_power
from tomodrgn.core.errors import CacheError, DataError

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.cache.claim import Claim
    from tomodrgn.core.cache.fill import Progress
    from tomodrgn.core.cache.job import BuildJob
    from tomodrgn.core.cache.power import BlockPower
    from tomodrgn.core.interfaces import Reader
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
    seen = file_identity(job.path)
    build_unless_built(job, seen, progress, processes=spec.processes)


def build_unless_built(
    job: BuildJob,
    seen: tuple[int, int] | None,
    progress: Progress | None,
    *,
    processes: int = 1,
) -> None:
    """Build, unless another process has replaced the file ``seen`` by what this job would build.

    Several processes build the files of a cache of several; one process builds one file.
    """
    show = progress or _ignore_progress
    build = build_parts if job.parts else _build_one
    try:
        job.path.parent.mkdir(parents=True, exist_ok=True)
        build(job, seen, processes, show)
    except OSError as error:
        raise CacheError(
            f"{job.path}: the cache could not be built ({error}); make room or give another "
            "--cache, then run the same command again: finished parts are kept"
        ) from error


def _build_one(
    job: BuildJob, seen: tuple[int, int] | None, _processes: int, progress: Progress
) -> None:
    """Build a cache of one file, or wait for another process that does."""
    while not _build_in_turn(job, seen, progress):
        logger.warning("%s: another process has taken the build over", job.path)


def _build_in_turn(job: BuildJob, seen: tuple[int, int] | None, progress: Progress) -> bool:
    """Build when no other process does; False when the claim was lost before the end."""
    with claimed(job.path) as claim:
        if is_built(job, seen):
            logger.info("%s: built by another process", job.path)
            return True
        try:
            check_space(job)
            rms, power = _fill_at_some_scale(job, claim, progress)
            if not claim.is_held():
                return False
            publish(job.path, rms, [], describe_gray_levels(job, power))
        except ClaimLostError:
            return False
        except DataError:
            discard(job.path)
            raise
        return True


def _fill_at_some_scale(
    job: BuildJob, claim: Claim, progress: Progress
) -> tuple[float, BlockPower]:
    """Fill the partial file, beginning again where its number type asks for another scale."""
    digest = job.digest()
    record = resume(job, digest)
    if record is None:
        discard(job.path)  # of another job, maybe of several files
        record = start(job, digest, estimate_scale(job))
    for _ in range(MOST_ATTEMPTS):
        fill(job, record, claim, progress)
        power = joint_power(record.power.values())
        try:
            return settle(job, power, record.scale), power
        except RescaleError as error:
            logger.info("%s: beginning again at scale %g", job.path, error.scale)
            record = start(job, digest, error.scale)
    raise scales_do_not_suit(job)


def _ignore_progress(_done: int, _total: int) -> None:
    """Show nothing."""
