"""MRC stacks larger than memory, written batch by batch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

import mrcfile
import numpy as np

from tomodrgn.core.errors import DataError, OutputError
from tomodrgn.core.files.atomic import make_folder, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

FloatType = Literal["float16", "float32"]

_MODE: Final = {"float16": 12, "float32": 2}


@contextmanager
def open_stack(
    path: Path, n_images: int, box_size_px: int, *, pixel_size_a: float, dtype: FloatType
) -> Iterator[Callable[[NDArray[np.float32]], None]]:
    """A new stack, and a function that appends (n, D, D) images to it.

    The file is as long as it will be from the start; write it where nobody takes it for whole. The
    header says that the statistics of the pixels are not known.

    Raises:
        DataError: a pixel is not finite in ``dtype``.
        OutputError: the file cannot be written, or has not all its images at the end.
    """
    make_folder(path.parent)
    shape = (n_images, box_size_px, box_size_px)
    with writing(path), mrcfile.new_mmap(path, shape, mrc_mode=_MODE[dtype]) as mrc:
        mrc.set_image_stack()
        mrc.voxel_size = pixel_size_a
        _finish_header(mrc.header)
        offset = int(mrc.data.offset)
    # Written, not mapped, so that a full disk is an error and does not end the program.
    with writing(path), path.open("r+b") as file:
        file.seek(offset)
        done = 0

        def append(images: NDArray[np.float32]) -> None:
            nonlocal done
            with np.errstate(over="ignore"):
                pixels = images.astype(dtype)
            if not np.isfinite(pixels).all():
                spoilt = done + int(np.argmin(np.isfinite(pixels).all(axis=(1, 2))))
                raise DataError(
                    f"{path.name}: image {spoilt + 1} holds a pixel that is not finite, or too "
                    f"large for {dtype}; repair or remove the image, or choose another --dtype"
                )
            file.write(np.ascontiguousarray(pixels).data)
            done += len(pixels)

        yield append
        if done != n_images:
            raise OutputError(f"{path}: got {done} of {n_images} images")


def _finish_header(header: Any) -> None:
    """No statistics, and no time, so that equal pixels make equal files."""
    header.dmin, header.dmax, header.dmean, header.rms = 0, -1, -2, -1  # MRC2014: not known
    header.label[0] = "written by tomodrgn"
