"""MRC files: headers, images read by position, and volumes.

Pixel sizes are in angstrom, arrays are ``[z, y, x]`` or ``[image, y, x]``. Reading is our own,
because it must check a file before memory is taken and read single images of stacks much larger
than memory; writing is left to the ``mrcfile`` package.

Source:
    MRC2014, doi:10.1016/j.jsb.2015.04.002; unsigned bytes as IMOD marks them.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import mrcfile
import numpy as np

from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.atomic import atomic_path
from tomodrgn.core.files.opening import open_to_read
from tomodrgn.core.ownership.undamaged import require_as_made

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

StackType = Literal["float32", "float16", "int8", "int16", "uint16"]

_HEADER_BYTES: Final = 1024
_TYPE_OF_MODE: Final = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_LITTLE_ENDIAN_STAMPS: Final = (b"\x44\x44", b"\x44\x41")
_BIG_ENDIAN_STAMP: Final = b"\x11\x11"
_IMOD_STAMP: Final = 1146047817
_IMOD_SIGNED_BYTES: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MrcHeader:
    """What is needed to read the pixels of an MRC file.

    Attributes:
        shape: (n, y, x) pixels; n counts images of a stack or sections of a volume.
        dtype: number type on the disk, with its byte order.
        data_offset: bytes before the first pixel.
        pixel_size_a: as the file states it, 0 where it states none.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    data_offset: int
    pixel_size_a: float

    @property
    def image_bytes(self) -> int:
        """Bytes of one image or section."""
        return self.shape[1] * self.shape[2] * self.dtype.itemsize


def read_mrc_header(path: Path) -> MrcHeader:
    """Header of an MRC file whose size has been checked against it.

    Raises:
        DataError: the file is missing, no MRC file, of a number type that is not read, or shorter
            than its header promises.
    """
    with open_to_read(path) as file:
        raw = file.read(_HEADER_BYTES)
        n_bytes = path.stat().st_size
    if len(raw) < _HEADER_BYTES:
        raise DataError(
            f"{path}: holds {len(raw)} bytes, an MRC header alone has {_HEADER_BYTES}; "
            f"copy or extract the file again"
        )
    header = _parse_header(path, raw)
    n_expected = header.data_offset + header.shape[0] * header.image_bytes
    if n_bytes < n_expected:
        n, y, x = header.shape
        raise DataError(
            f"{path}: is truncated: {n} images of {y} x {x} pixels need {n_expected} bytes, "
            f"found {n_bytes}; copy or extract the file again"
        )
    return header


def read_mrc_slices(
    path: Path, indices: NDArray[np.int64], header: MrcHeader | None = None
) -> NDArray[np.float32]:
    """Images of a stack, or sections of a volume, in the order asked for.

    Indices that follow each other are read in one go.

    Args:
        path: an MRC file.
        indices: (n,) positions in the file, from 0.
        header: the header, where it has been read before.

    Returns:
        (n, y, x) pixels.

    Raises:
        DataError: an index lies outside the file, or the file has shrunk.
    """
    header = read_mrc_header(path) if header is None else header
    n_images = header.shape[0]
    outside = indices[(indices < 0) | (indices >= n_images)]
    if len(outside):
        raise DataError(f"{path}: has no image {outside[0] + 1}; it holds {n_images} images")
    images = np.empty((len(indices), *header.shape[1:]), dtype=np.float32)
    breaks = np.flatnonzero(np.diff(indices) != 1) + 1
    edges = np.unique([0, *breaks, len(indices)]).tolist()
    with open_to_read(path) as file:
        for first, stop in pairwise(edges):
            images[first:stop] = _read_run(file, header, int(indices[first]), stop - first)
    return images


def read_volume(path: Path) -> tuple[NDArray[np.float32], float]:
    """A whole volume, (z, y, x), and its pixel size in angstrom (0 where the file states none).

    Raises:
        DataError: the file is no MRC file, a voxel is not finite, or the file is not as its record
            says that it was made.
    """
    header = read_mrc_header(path)
    require_as_made(path)
    sections = np.arange(header.shape[0], dtype=np.int64)
    volume = read_mrc_slices(path, sections, header)
    n_bad = volume.size - int(np.count_nonzero(np.isfinite(volume)))
    if n_bad:
        raise DataError(
            f"{path}: {n_bad} of {volume.size} voxels are not finite numbers; reconstruct or copy "
            "the volume again"
        )
    return volume, header.pixel_size_a


def write_volume(path: Path, volume: NDArray[np.float32], pixel_size_a: float) -> None:
    """Write a (z, y, x) volume as float32, whole or not at all.

    Raises:
        RunError: voxels are not finite.
    """
    n_bad = volume.size - int(np.count_nonzero(np.isfinite(volume)))
    if n_bad:
        raise RunError(
            f"{path}: {n_bad} of {volume.size} voxels are not finite, so the volume is not "
            "written; the weights or the images behind it hold numbers that are not finite or far "
            "too large: take the weights of an earlier epoch, or run check on the input"
        )
    with atomic_path(path) as partial, mrcfile.new(partial) as mrc:
        mrc.set_data(np.ascontiguousarray(volume, dtype=np.float32))
        mrc.set_volume()
        _finish_header(mrc, pixel_size_a)


def write_stack(
    path: Path,
    images: NDArray[Any],
    pixel_size_a: float,
    dtype: StackType = "float32",
) -> None:
    """Write (n, y, x) images as a stack, whole or not at all.

    Integer types hold the nearest whole numbers.

    Raises:
        DataError: a pixel does not fit into ``dtype``.
    """
    pixels = _as_type(path, images, np.dtype(dtype))
    with atomic_path(path) as partial, mrcfile.new(partial) as mrc:
        mrc.set_data(pixels)
        mrc.set_image_stack()
        _finish_header(mrc, pixel_size_a)


def _parse_header(path: Path, raw: bytes) -> MrcHeader:
    order = _byte_order(raw)
    nx, ny, nz, mode = struct.unpack_from(f"{order}4i", raw, 0)
    (mx,) = struct.unpack_from(f"{order}i", raw, 28)
    (cell_x_a,) = struct.unpack_from(f"{order}f", raw, 40)
    (extended_bytes,) = struct.unpack_from(f"{order}i", raw, 92)
    if min(nx, ny, nz) < 1 or extended_bytes < 0:
        raise DataError(f"{path}: is no MRC file: its header says {nz} images of {ny} x {nx}")
    if mode not in _TYPE_OF_MODE:
        known = ", ".join(str(mode) for mode in _TYPE_OF_MODE)
        raise DataError(f"{path}: has MRC mode {mode}, modes {known} are read; convert the file")
    code = "u1" if mode == 0 and _has_unsigned_bytes(raw, order) else _TYPE_OF_MODE[mode]
    pixel_size_a = float(cell_x_a) / (mx if mx > 0 else nx)
    return MrcHeader(
        shape=(nz, ny, nx),
        dtype=np.dtype(order + code),
        data_offset=_HEADER_BYTES + extended_bytes,
        pixel_size_a=pixel_size_a if 0 < pixel_size_a < math.inf else 0.0,
    )


def _byte_order(raw: bytes) -> Literal["<", ">"]:
    """Byte order by the machine stamp, else the one in which the image width is small."""
    stamp = raw[212:214]
    if stamp in _LITTLE_ENDIAN_STAMPS:
        return "<"
    if stamp == _BIG_ENDIAN_STAMP:
        return ">"
    return "<" if struct.unpack_from("<I", raw)[0] <= struct.unpack_from(">I", raw)[0] else ">"


def _has_unsigned_bytes(raw: bytes, order: str) -> bool:
    stamp, marks = struct.unpack_from(f"{order}2i", raw, 152)
    return stamp == _IMOD_STAMP and not marks & _IMOD_SIGNED_BYTES


def _read_run(file: BinaryIO, header: MrcHeader, first: int, n: int) -> NDArray[Any]:
    """(n, y, x) consecutive images as they are stored."""
    file.seek(header.data_offset + first * header.image_bytes)
    shape = (n, *header.shape[1:])
    pixels = np.fromfile(file, dtype=header.dtype, count=int(np.prod(shape)))
    if pixels.size != np.prod(shape):
        raise DataError(f"{file.name}: ended while images were read; was it being written?")
    return pixels.reshape(shape)


def _as_type(path: Path, images: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Pixels of a number type that holds them."""
    if dtype.kind in "iu" and images.size:
        images = np.rint(images)
        allowed = np.iinfo(dtype)
        if images.min() < allowed.min or images.max() > allowed.max:
            raise DataError(
                f"{path}: pixels are {images.min():g} to {images.max():g}, {dtype} holds "
                f"{allowed.min} to {allowed.max}; scale them or choose a wider type"
            )
    return np.ascontiguousarray(images, dtype=dtype)


def _finish_header(mrc: Any, pixel_size_a: float) -> None:
    """State the pixel size; the label has no time, so that equal pixels make equal files."""
    mrc.voxel_size = pixel_size_a
    mrc.header.label[0] = "written by tomodrgn"
