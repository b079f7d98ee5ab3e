"""MRC files survive a round trip, and damaged ones are refused before memory is taken."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pytest

from tomodrgn.core.errors import DataError, RunError
from tomodrgn.core.files.mrc import (
    read_mrc_header,
    read_mrc_slices,
    read_volume,
    write_stack,
    write_volume,
)

if TYPE_CHECKING:
    from pathlib import Path

STACK_TYPES = ["float32", "float16", "int8", "int16", "uint16"]


@pytest.fixture
def images() -> np.ndarray:
    """Seven images of small whole numbers, which every number type holds exactly."""
    return np.random.default_rng(0).integers(0, 100, (7, 6, 6)).astype(np.float32)


@pytest.mark.parametrize("dtype", STACK_TYPES)
def test_stacks_of_every_mode_survive_a_round_trip(
    dtype: str, images: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "stack.mrcs"
    write_stack(path, images, 1.5, dtype)
    header = read_mrc_header(path)
    assert header.shape == images.shape
    assert header.dtype == np.dtype(dtype)
    assert header.pixel_size_a == pytest.approx(1.5)
    np.testing.assert_array_equal(read_mrc_slices(path, np.arange(7)), images)
    assert list(tmp_path.iterdir()) == [path]


def test_volumes_survive_a_round_trip(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).normal(size=(4, 4, 4)).astype(np.float32)
    write_volume(tmp_path / "volume.mrc", volume, 13.1)
    read, pixel_size_a = read_volume(tmp_path / "volume.mrc")
    np.testing.assert_array_equal(read, volume)
    assert pixel_size_a == pytest.approx(13.1)


def test_volumes_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "volume.mrc"
    write_volume(path, np.zeros((4, 4, 4), dtype=np.float32), 13.1)
    path.write_bytes(path.read_bytes()[:-4] + np.float32(np.inf).tobytes())
    with pytest.raises(DataError, match="1 of 64 voxels are not finite numbers"):
        read_volume(path)


def test_volumes_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    volume = np.zeros((4, 4, 4), dtype=np.float32)
    volume[1, 2, 3] = np.nan
    with pytest.raises(RunError, match="1 of 64 voxels are not finite, so the volume is not writ"):
        write_volume(tmp_path / "volume.mrc", volume, 13.1)
    assert not list(tmp_path.iterdir())


def test_cubes_are_volumes_and_stacks_are_image_stacks(tmp_path: Path) -> None:
    cube = np.zeros((4, 4, 4), np.float32)
    write_volume(tmp_path / "volume.mrc", cube, 2.0)
    write_stack(tmp_path / "stack.mrcs", cube, 2.0)
    with mrcfile.open(tmp_path / "volume.mrc") as volume:
        assert volume.is_volume()
        assert volume.voxel_size.z == 2.0
    with mrcfile.open(tmp_path / "stack.mrcs") as stack:
        assert stack.is_image_stack()
        assert stack.voxel_size.x == 2.0
    assert mrcfile.validate(tmp_path / "volume.mrc")


def test_equal_pixels_make_equal_files(images: np.ndarray, tmp_path: Path) -> None:
    for name in ("a.mrcs", "b.mrcs"):
        write_stack(tmp_path / name, images, 2.0)
        assert b"mrcfile" not in (tmp_path / name).read_bytes()
    assert (tmp_path / "a.mrcs").read_bytes() == (tmp_path / "b.mrcs").read_bytes()


def test_integers_are_the_nearest_and_must_fit(tmp_path: Path) -> None:
    path = tmp_path / "stack.mrcs"
    write_stack(path, np.array([[[-1.6, 1.6], [0.4, 127.4]]]), 1.0, "int8")
    assert read_mrc_slices(path, np.array([0])).ravel().tolist() == [-2, 2, 0, 127]
    with pytest.raises(DataError, match="pixels are 0 to 128, int8 holds -128 to 127"):
        write_stack(path, np.array([[[0.0, 127.6]]]), 1.0, "int8")


@pytest.mark.parametrize("indices", [[6, 0, 3], [2, 3, 4, 0, 1], [5, 5, 4], []])
def test_images_come_in_the_order_asked_for(
    indices: list[int], images: np.ndarray, tmp_path: Path
) -> None:
    write_stack(tmp_path / "stack.mrcs", images, 1.0, "int16")
    rows = np.array(indices, dtype=np.int64)
    np.testing.assert_array_equal(read_mrc_slices(tmp_path / "stack.mrcs", rows), images[rows])


@pytest.mark.parametrize("has_machine_stamp", [True, False])
@pytest.mark.parametrize("dtype", ["i1", "i2", "f4", "u2", "f2"])
def test_big_endian_files_are_read(
    dtype: str, has_machine_stamp: bool, images: np.ndarray, tmp_path: Path
) -> None:
    mode = {"i1": 0, "i2": 1, "f4": 2, "u2": 6, "f2": 12}[dtype]
    raw = _big_endian_header(images.shape, mode, 3.0, stamp=has_machine_stamp)
    (tmp_path / "a.mrcs").write_bytes(raw + images.astype(f">{dtype}").tobytes())
    assert read_mrc_header(tmp_path / "a.mrcs").pixel_size_a == pytest.approx(3.0)
    np.testing.assert_array_equal(read_mrc_slices(tmp_path / "a.mrcs", np.arange(7)), images)


def test_an_extended_header_is_skipped(images: np.ndarray, tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrcs", data=images) as mrc:
        mrc.set_extended_header(np.zeros(100, dtype="V10"))
    assert read_mrc_header(tmp_path / "a.mrcs").data_offset == 2024
    np.testing.assert_array_equal(read_mrc_slices(tmp_path / "a.mrcs", np.arange(7)), images)


def test_bytes_that_imod_marks_as_unsigned_are_unsigned(tmp_path: Path) -> None:
    path = tmp_path / "bytes.mrcs"
    write_stack(path, np.zeros((1, 2, 2)), 1.0, "int8")
    raw = bytearray(path.read_bytes())
    raw[152:160] = struct.pack("<2i", 1146047817, 0)
    raw[1024:] = bytes([0, 127, 128, 255])
    path.write_bytes(raw)
    assert read_mrc_slices(path, np.array([0])).ravel().tolist() == [0, 127, 128, 255]


def test_a_truncated_file_is_refused_with_both_sizes(images: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "stack.mrcs"
    write_stack(path, images, 1.0)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"stack\.mrcs: is truncated: 7 .* 2032 bytes, found 2031"):
        read_mrc_header(path)


def test_a_huge_promise_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    raw = _big_endian_header((2**30, 2**30, 2**30), 2, 1.0, stamp=True)
    (tmp_path / "a.mrcs").write_bytes(raw)
    with pytest.raises(DataError, match="is truncated"):
        read_volume(tmp_path / "a.mrcs")


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"data_\n")
    (tmp_path / "zeros").write_bytes(bytes(2000))
    (tmp_path / "complex").write_bytes(_big_endian_header((1, 2, 2), 4, 1.0, stamp=True))
    for name, match in [
        ("absent", "cannot be read: No such file"),
        ("short", "holds 6 bytes"),
        ("zeros", "is no MRC file"),
        ("complex", "has MRC mode 4, modes 0, 1, 2, 6, 12 are read"),
    ]:
        with pytest.raises(DataError, match=match):
            read_mrc_header(tmp_path / name)


def test_an_index_beyond_the_stack_is_refused(images: np.ndarray, tmp_path: Path) -> None:
    write_stack(tmp_path / "stack.mrcs", images, 1.0)
    with pytest.raises(DataError, match="has no image 8; it holds 7 images"):
        read_mrc_slices(tmp_path / "stack.mrcs", np.array([0, 7]))


def _big_endian_header(
    shape: tuple[int, int, int], mode: int, pixel_size_a: float, *, stamp: bool
) -> bytes:
    n, y, x = shape
    raw = bytearray(1024)
    struct.pack_into(">4i", raw, 0, x, y, n, mode)
    struct.pack_into(">3i", raw, 28, x, y, n)
    struct.pack_into(">3f", raw, 40, x * pixel_size_a, y * pixel_size_a, n * pixel_size_a)
    if stamp:
        raw[212:214] = b"\x11\x11"
    return bytes(raw)
