"""Stacks written batch by batch are the stacks written at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mrcfile
import numpy as np
import pytest

from tomodrgn.core.errors import DataError, OutputError
from tomodrgn.core.files.mrc import read_mrc_header, read_mrc_slices
from tomodrgn.core.files.mrc_stream import open_stack

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

IMAGES = np.random.default_rng(0).integers(-50, 50, (7, 6, 6)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_batches_follow_each_other(dtype: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "stack.mrcs"
    with open_stack(path, 7, 6, pixel_size_a=2.5, dtype=dtype) as append:
        append(IMAGES[:3])
        append(IMAGES[3:])
    header = read_mrc_header(path)
    assert (header.shape, header.dtype) == ((7, 6, 6), np.dtype(dtype))
    assert header.pixel_size_a == pytest.approx(2.5)
    assert mrcfile.open(path, header_only=True).voxel_size.tolist() == (2.5, 2.5, 2.5)
    np.testing.assert_array_equal(read_mrc_slices(path, np.arange(7)), IMAGES)


@pytest.mark.parametrize("value", [np.nan, 1e6])
def test_pixel_that_float16_cannot_hold_is_refused(value: float, tmp_path: Path) -> None:
    spoilt = IMAGES.copy()
    spoilt[4, 2, 2] = value
    stack = open_stack(tmp_path / "stack.mrcs", 7, 6, pixel_size_a=1.0, dtype="float16")
    with pytest.raises(DataError, match="image 5 holds a pixel that is not finite, or too large"):
        _write(stack, spoilt[:2], spoilt[2:])


def test_missing_images_are_noticed(tmp_path: Path) -> None:
    stack = open_stack(tmp_path / "stack.mrcs", 7, 6, pixel_size_a=1.0, dtype="float32")
    with pytest.raises(OutputError, match="got 3 of 7 images"):
        _write(stack, IMAGES[:3])


def _write(stack: AbstractContextManager[Any], *batches: np.ndarray) -> None:
    with stack as append:
        for images in batches:
            append(images)
