"""Arrays of strangers: refused in words before memory is taken, never run."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tomodrgn.core.errors import DataError
from tomodrgn.core.files.arrays import read_npy


def npy(header: str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """A file with any header."""
    text = header.encode("latin1")
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + content


@pytest.mark.parametrize(
    "values", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3)), np.array(["a", "bc"]),
               np.zeros((0, 4), np.int16), np.array(5)],
)  # fmt: skip
def test_arrays_read_as_they_were_written(values: np.ndarray[Any, Any], tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", values)
    read = read_npy(tmp_path / "a.npy")
    assert read.dtype == values.dtype
    np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"),
         "needs 8,000,000,000,000 bytes; 0 are there"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", bytes(20)),
         "needs 24 bytes; 20 are there"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }"), "is no header"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999999,), }"),
         "bytes; 0 are there"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", bytes(8)),
         "holds Python objects"),
        (npy("{'descr': '|V0', 'fortran_order': False, 'shape': (5,), }"), "declares"),
        (npy("__import__('os').system('touch marker')"), "is no header"),
        (npy("(" * 900), "is no header"),
        (b"\x93NUMPY\x07\x07", "is no header"),
        (b"", "is no header"),
        (b"\x80\x04\x95", "is no header"),
    ],
)  # fmt: skip
def test_headers_that_declare_what_is_not_there(content: bytes, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(DataError, match=fault):
        read_npy(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
    assert list(tmp_path.iterdir()) == [path]
