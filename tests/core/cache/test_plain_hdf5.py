"""A cache of a stranger leads to no other file, and takes no memory that it does not fill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.core.cache.imaginary import ImaginaryReader, seal_again
from tomodrgn.core.cache.layout import COEFFICIENTS
from tomodrgn.core.cache.store import CoefficientCache, open_cache
from tomodrgn.core.errors import CacheError
from tomodrgn.core.particles.tables import ParticleSet
from tomodrgn.core.specs.dataset import PreparationSpec

SHIFTS = "images/shift_px"


def external_link(file: h5py.File, other: Path) -> None:
    del file[SHIFTS]
    file[SHIFTS] = h5py.ExternalLink(str(other), "/x")


def soft_link(file: h5py.File, _other: Path) -> None:
    file.move(SHIFTS, "images/moved")
    file[SHIFTS] = h5py.SoftLink("/images/moved")


def link_of_a_group(file: h5py.File, other: Path) -> None:
    file["elsewhere"] = h5py.ExternalLink(str(other), "/")


def external_storage(file: h5py.File, other: Path) -> None:
    shape = file[SHIFTS].shape
    del file[SHIFTS]
    external = [(str(other), 0, h5py.h5f.UNLIMITED)]
    file.create_dataset(SHIFTS, shape, np.float32, external=external)


def virtual_column(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout(file[SHIFTS].shape, np.float32)
    layout[:] = h5py.VirtualSource(str(other), "x", file[SHIFTS].shape, np.float32)
    del file[SHIFTS]
    file.create_virtual_dataset(SHIFTS, layout)


def virtual_coefficients(file: h5py.File, other: Path) -> None:
    shape, dtype = file[COEFFICIENTS].shape, file[COEFFICIENTS].dtype
    layout = h5py.VirtualLayout(shape, dtype)
    layout[:] = h5py.VirtualSource(str(other), "x", shape, dtype)
    del file[COEFFICIENTS]
    file.create_virtual_dataset(COEFFICIENTS, layout)


def filtered(file: h5py.File, _other: Path) -> None:
    values = file[SHIFTS][:]
    del file[SHIFTS]
    file.create_dataset(SHIFTS, data=values, compression="gzip")


def terabytes(file: h5py.File, _other: Path) -> None:
    del file[SHIFTS]
    file.create_dataset(SHIFTS, (1 << 40, 2), np.float32)  # none of it is written


def values_of_any_length(file: h5py.File, _other: Path) -> None:
    names = file["images/name"][:].astype(object)
    del file["images/name"]
    file.create_dataset("images/name", data=names, dtype=h5py.string_dtype())


def many_objects(file: h5py.File, _other: Path) -> None:
    for number in range(1001):
        file.create_group(f"more/{number}")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (external_link, "/images/shift_px is a link to another file"),
        (soft_link, "/images/shift_px is a soft link"),
        (link_of_a_group, "/elsewhere is a link to another file"),
        (external_storage, "/images/shift_px lies in another file"),
        (virtual_column, "/images/shift_px is shown from other files"),
        (virtual_coefficients, "which is no part of a cache beside it"),
        (filtered, "/images/shift_px is compressed or filtered"),
        (terabytes, "/images/shift_px declares 8,796,093,022,208 bytes, the file has"),
        (values_of_any_length, "/images/name holds values of any length"),
        (many_objects, "it holds more than 1000 objects"),
    ],
)
def test_what_a_cache_never_holds_is_refused(
    cache: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path,
    change: Callable[[h5py.File, Path], None], fault: str,
) -> None:  # fmt: skip
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = np.zeros((3, 2), np.float32)
    before = other.read_bytes()
    with h5py.File(cache.path, "r+") as file:
        change(file, other)
    seal_again(cache.path)
    with pytest.raises(CacheError, match=fault):
        open_cache(cache.path, particles, reader, PreparationSpec())
    assert other.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_images", "many"), ("n_images", -1), ("rms", "x"), ("dtype", "object"), ("scale", "1"),
     ("preparation", "[]"), ("preparation", "[" * 100_000), ("box_size_px", 1.5)],
)  # fmt: skip
def test_attributes_of_another_kind_are_refused(
    cache: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader, name: str,
    value: object,
) -> None:  # fmt: skip
    with h5py.File(cache.path, "r+") as file:
        file.attrs[name] = value if len(str(value)) < 60_000 else str(value)[:60_000]
    seal_again(cache.path)
    with pytest.raises(CacheError, match=r"cache\.h5"):
        open_cache(cache.path, particles, reader, PreparationSpec())
