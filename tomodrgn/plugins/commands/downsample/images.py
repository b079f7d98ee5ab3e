"""Stacks of images on fewer pixels, batch by batch; the next one is read meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from tomodrgn.core.display import show_progress
from tomodrgn.core.files.mrc_stream import open_stack
from tomodrgn.core.fourier.cropping import crop_images, require_smaller_box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tomodrgn.core.files.mrc_stream import FloatType
    from tomodrgn.plugins.commands.downsample.spec import DownsampleSpec

_BATCH_BYTES: Final = 32 * 2**20  # of images in their own box


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallerImages:
    """Images of one box, and what is to become of them.

    Attributes:
        load: (n, D, D) pixels of (n,) rows.
        original_px: D.
        box_size_px: D'.
        pixel_size_a: pixel size of the result, 0 where nobody states one.
        dtype: number type of the result.
        batch_size: images in memory at once.
    """

    load: Callable[[NDArray[np.int64]], NDArray[np.float32]]
    original_px: int
    box_size_px: int
    pixel_size_a: float
    dtype: FloatType
    batch_size: int

    def write(self, path: Path, rows: NDArray[np.int64], report: Callable[[int], None]) -> None:
        """Write a stack of some rows (M,); ``report`` is told how many images each batch had."""
        stack = open_stack(
            path,
            len(rows),
            self.box_size_px,
            pixel_size_a=self.pixel_size_a,
            dtype=self.dtype,
        )
        with stack as append:
            for images in self._read_ahead(rows):
                append(crop_images(torch.from_numpy(images), self.box_size_px).numpy())
                report(len(images))

    def _read_ahead(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
        batches = np.split(rows, range(self.batch_size, len(rows), self.batch_size))
        if len(batches) == 1:
            yield self.load(rows)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as pool:
            coming = pool.submit(self.load, batches[0])
            for following in batches[1:]:
                images, coming = coming.result(), pool.submit(self.load, following)
                yield images
            yield coming.result()


def plan_images(
    spec: DownsampleSpec,
    load: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    *,
    original_px: int,
    pixel_size_a: float,
    fits_float16: bool,
) -> SmallerImages:
    """What the spec makes of images (M, D, D) of a pixel size, whose pixels fit float16 or not.

    Raises:
        DataError: the box of the spec is not smaller.
    """
    require_smaller_box(spec.downsample, original_px)
    return SmallerImages(
        load=load,
        original_px=original_px,
        box_size_px=spec.downsample,
        pixel_size_a=pixel_size_a * original_px / spec.downsample,
        dtype=spec.dtype or ("float16" if fits_float16 else "float32"),
        batch_size=max(1, min(spec.batch_size, _BATCH_BYTES // (4 * original_px**2))),
    )


def chunks(n_images: int, chunk: int | None) -> list[NDArray[np.int64]]:
    """Rows (m,) of each stack, in order."""
    edges = [*range(0, n_images, chunk or n_images), n_images]
    return [np.arange(first, stop) for first, stop in pairwise(edges)]


def stack_names(stem: str, n_stacks: int) -> list[str]:
    """``stem.mrcs``, or ``stem.0.mrcs``, ``stem.1.mrcs`` and so on."""
    return [f"{stem}.mrcs"] if n_stacks == 1 else [f"{stem}.{i}.mrcs" for i in range(n_stacks)]


def write_stacks(
    images: SmallerImages, folder: Path, stacks: Sequence[str], rows: Sequence[NDArray[np.int64]]
) -> None:
    """Write the rows (m,) of each stack, one stack after the other."""
    n_images, done = sum(map(len, rows)), 0

    def report(n_written: int) -> None:
        nonlocal done
        done += n_written
        progress(done, n_images)

    with show_progress("downsampling images") as progress:
        for name, of_stack in zip(stacks, rows, strict=True):
            images.write(folder / name, of_stack, report)


def image_names(stacks: Sequence[str], rows: Sequence[NDArray[np.int64]]) -> NDArray[np.object_]:
    """``000001@stack`` (M,) of every image."""
    names = (
        f"{number:06d}@{stack}"
        for stack, of_stack in zip(stacks, rows, strict=True)
        for number in range(1, len(of_stack) + 1)
    )
    return np.array(list(names), dtype=object)
