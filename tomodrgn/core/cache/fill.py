"""The loop that fills a partial cache, block by block."""

from __future__ import annotations

import logging
import math
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
import torch

from tomodrgn.core.cache.layout import checksum_offset, coefficient_offset
from tomodrgn.core.cache.positioned import byte_view, consecutive_runs, write_at
from tomodrgn.core.cache.power import block_power, typical_square
from tomodrgn.core.cache.seal import image_checksums
from tomodrgn.core.cache.transform import build_transform
from tomodrgn.core.errors import DataError
from tomodrgn.core.gray_levels.damage import SOUND, damage_lines
from tomodrgn.core.gray_levels.reader import LookedAt, look_at

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from tomodrgn.core.cache.job import BuildJob
    from tomodrgn.core.cache.power import BlockPower
    from tomodrgn.core.cache.progress import BuildRecord

    Progress = Callable[[int, int], None]
    GoOn = Callable[[], None]

FLOAT16_MAX = 65504.0
_FLOAT16_HALF = 2.0**15  # where a restart puts the strongest image
_WEAKEST_RMS = 2.0**-8  # of a typical image; float16 begins to lose digits at 2**-14
_SAMPLED_IMAGES = 256
_NAMES_SHOWN = 5

logger = logging.getLogger(__name__)


class RescaleError(Exception):
    """The coefficients do not fit their number type at this scale; ``scale`` is one that may."""

    def __init__(self, scale: float) -> None:
        super().__init__(scale)
        self.scale = scale


def estimate_scale(job: BuildJob) -> float:
    """A power of two close to the rms of the first images; 1 where float32 needs none."""
    if job.header.dtype == "float32":
        return 1.0
    rows = job.blocks()[0][:_SAMPLED_IMAGES]
    squares = _squares(_coefficients(job, rows, _load(job, rows).images))
    present = squares[torch.isfinite(squares) & (squares > 0)]
    typical = float(present.median()) if len(present) else 0.0
    return _power_of_two(math.sqrt(typical / job.header.n_coefficients))


def fill(job: BuildJob, record: BuildRecord, go_on: GoOn, progress: Progress) -> None:
    """Write all blocks that are missing, and note their power in the record.

    Args:
        job: one file.
        record: what is done of it.
        go_on: called before a block is noted; raises where this process must write no more.
        progress: called after every block with images done and images in all.

    Raises:
        DataError: images are not finite.
    """
    blocks = job.blocks()
    missing = [number for number in range(len(blocks)) if number not in record.power]
    spoilt: list[np.int64] = []
    done = sum(len(blocks[number]) for number in record.power)
    progress(done, job.header.n_images)
    with (
        _writer(job, record.scale) as write,
        record.appending() as note,
        closing(_read_ahead(job, blocks, missing)) as coming,
    ):
        for number, seen in coming:
            rows = blocks[number]
            coefficients = _coefficients(job, rows, seen.images)
            squares = _squares(coefficients)
            spoilt += list(rows[~torch.isfinite(squares).numpy()])
            if not spoilt:  # after the first spoilt image only the others are looked for
                write(rows, coefficients)
                go_on()
                peak = float(torch.linalg.vector_norm(coefficients, ord=math.inf))
                note(number, block_power(squares, peak, _damaged(rows, seen), _n_healed(seen)))
            done += len(rows)
            progress(done, job.header.n_images)
    if spoilt:
        raise DataError(_name_spoilt(job, np.array(spoilt)))


def _read_ahead(
    job: BuildJob, blocks: Sequence[NDArray[np.int64]], numbers: Sequence[int]
) -> Generator[tuple[int, LookedAt]]:
    """Blocks with their pixels; the next is read while the caller works on this one."""
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as pool:
        coming = None
        for number, following in zip_longest(numbers, numbers[1:]):
            seen = _load(job, blocks[number]) if coming is None else coming.result()
            if following is not None:
                coming = pool.submit(_load, job, blocks[following])
            yield number, seen


def _load(job: BuildJob, rows: NDArray[np.int64]) -> LookedAt:
    """Pixels of image rows, of the shape that was promised."""
    seen = look_at(job.reader, job.particles.source_image[rows])
    box = job.header.box_size_px
    if seen.images.shape != (len(rows), box, box):
        raise DataError(
            f"{job.particles.source}: the reader loaded images of shape {seen.images.shape}, "
            f"expected {(len(rows), box, box)}"
        )
    return seen


def _damaged(rows: NDArray[np.int64], seen: LookedAt) -> dict[int, int]:
    """Code of damage by row of the images that are left out."""
    which = np.flatnonzero(seen.damage != SOUND)
    return dict(zip(rows[which].tolist(), seen.damage[which].tolist(), strict=True))


def _n_healed(seen: LookedAt) -> int:
    return int(np.count_nonzero(seen.healed))


def _coefficients(job: BuildJob, rows: NDArray[np.int64], images: NDArray[np.float32]) -> Tensor:
    """(m, P, 2) coefficients of a block."""
    transform = build_transform(job.preparation, job.header.box_size_px)
    return transform(images, job.particles.images.shift_px[rows])


def _squares(coefficients: Tensor) -> Tensor:
    """(m,) float64 sum of squared moduli of each image; not finite where any pixel is not."""
    norms: Tensor = torch.linalg.vector_norm(coefficients, dim=(1, 2), dtype=torch.float64)
    return norms.square()


@contextmanager
def _writer(job: BuildJob, scale: float) -> Iterator[Callable[[NDArray[np.int64], Tensor], None]]:
    """A function that stores the coefficients of image rows, and returns when they are safe."""
    offset, size = coefficient_offset(job.partial), job.header.image_bytes
    of_checksums = checksum_offset(job.partial)
    descriptor = os.open(job.partial, os.O_WRONLY)

    def write(rows: NDArray[np.int64], coefficients: Tensor) -> None:
        order = np.argsort(rows)
        number = torch.float16 if job.header.dtype == "float16" else torch.float32
        stored = (coefficients / scale).to(number)[torch.from_numpy(order)].numpy()
        checksums = image_checksums(byte_view(stored), size)
        runs = consecutive_runs(rows[order])
        for first, row, length in zip(runs.first, runs.row, runs.length, strict=True):
            run = byte_view(stored[first : first + length])
            write_at(descriptor, [run], offset + int(row) * size)
            of_run = byte_view(checksums[first : first + length])
            write_at(descriptor, [of_run], of_checksums + int(row) * checksums.itemsize)
        os.fsync(descriptor)

    try:
        yield write
    finally:
        os.close(descriptor)


def settle(job: BuildJob, power: BlockPower, scale: float) -> float:
    """Root of the mean squared modulus over all images that are no damaged ones.

    Args:
        job: the whole cache.
        power: of all of its blocks.
        scale: what they were divided by.

    Raises:
        DataError: all images are damaged or empty.
        RescaleError: float16 would overflow, or lose digits of a typical image.
    """
    n_sound = job.header.n_images - len(power.damaged)
    if not n_sound:
        rows = np.array(sorted(power.damaged), dtype=np.int64)
        codes = np.array([power.damaged[row] for row in rows.tolist()], dtype=np.uint8)
        found = "; ".join(damage_lines(codes, rows, job.particles))
        raise DataError(
            f"{job.particles.source}: every image is damaged: {found}; check the image stacks, or "
            "use the images as they are with --normalize off"
        )
    if not power.total:
        raise DataError(f"{job.particles.source}: all images are empty; check the image stacks")
    if job.header.dtype == "float16":
        typical_rms = math.sqrt(typical_square(power) / job.header.n_coefficients)
        if power.peak / scale > FLOAT16_MAX:
            raise RescaleError(_power_of_two(2 * power.peak / _FLOAT16_HALF))
        if typical_rms / scale < _WEAKEST_RMS:
            raise RescaleError(_power_of_two(typical_rms))
    return math.sqrt(power.total[0] / (n_sound * job.header.n_coefficients))


def _power_of_two(size: float) -> float:
    """The power of two closest to ``size``; 1 for zero."""
    return 2.0 ** round(math.log2(size)) if size > 0 else 1.0


def _name_spoilt(job: BuildJob, rows: NDArray[np.int64]) -> str:
    """One line that names the images that are not finite."""
    names = ", ".join(job.particles.image_name[rows[:_NAMES_SHOWN]])
    more = f" and {len(rows) - _NAMES_SHOWN} more" if len(rows) > _NAMES_SHOWN else ""
    indices = ", ".join(map(str, job.particles.source_image[rows[:_NAMES_SHOWN]]))
    return (
        f"{job.particles.source}: {len(rows)} of {job.header.n_images} images hold pixels that are "
        f"not finite: {names}{more} (input rows {indices}{', ...' if more else ''}); repair the "
        "stacks or leave these images out with --ind-imgs"
    )
