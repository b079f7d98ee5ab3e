"""Arrays in ``.npy`` files: what the header declares has to be there before memory is taken."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.opening import open_to_read

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_MAX_DIMENSIONS = 8


def read_npy(path: Path) -> NDArray[Any]:
    """The numbers or texts of a ``.npy`` file, in its shape; never Python objects.

    Raises:
        DataError: the file cannot be read, is damaged, or shorter than its header declares.
    """
    with open_to_read(path) as file:
        try:
            shape, in_columns, dtype = _header(file)
        except Exception as error:  # the header is a Python literal, which may be anything
            raise DataError(
                f"{path}: its header is no header of a .npy file ({error}); write the file again"
            ) from error
        if dtype.hasobject:
            raise DataError(f"{path}: holds Python objects; save it as numbers or texts")
        n_bytes = math.prod(shape) * dtype.itemsize
        there = os.fstat(file.fileno()).st_size - file.tell()
        if n_bytes > there or not dtype.itemsize:
            raise DataError(
                f"{path}: declares {dtype} of shape {shape}, which needs {n_bytes:,} bytes; "
                f"{there:,} are there; copy or write the file again"
            )
        values = np.fromfile(file, dtype=dtype, count=math.prod(shape))
    return values.reshape(shape, order="F" if in_columns else "C")


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type that a file declares."""
    version = np.lib.format.read_magic(file)
    if version not in _READ_HEADER:
        raise ValueError(f"version {version} is not known")
    shape, in_columns, dtype = _READ_HEADER[version](file)
    if len(shape) > _MAX_DIMENSIONS or any(n < 0 for n in shape):
        raise ValueError(f"shape {shape}")
    return shape, in_columns, dtype
