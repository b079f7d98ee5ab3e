"""What is not what was written is refused, with the name of the image or the column."""

from __future__ import annotations

import logging
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
import torch

from tests.core.cache.interrupted import ONE_IMAGE
from tomodrgn.core.cache import layout
from tomodrgn.core.cache.fetch import load
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.cache.residency import Residency
from tomodrgn.core.cache.store import CoefficientCache, ensure_cache, open_cache
from tomodrgn.core.cache.stream import open_images
from tomodrgn.core.errors import CacheError, TomodrgnError
from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from tests.core.cache.imaginary import ImaginaryReader
    from tomodrgn.core.particles.tables import ParticleSet

    Change = Callable[[NDArray[np.uint16], int], None]

AS_BUILT = PreparationSpec()
CPU = torch.device("cpu")
N_IMAGES, ROW = 12, 7


@pytest.fixture(params=[1, 3], ids=["one_file", "three_files"])
def stored(
    request: pytest.FixtureRequest, particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> CoefficientCache:
    spec = CacheSpec(reserve_gb=0, files=request.param)
    path = tmp_path / "c.h5"
    build_cache(path, particles, reader, AS_BUILT, spec, block_bytes=2 * ONE_IMAGE)
    return open_cache(path, particles, reader, AS_BUILT)


def streamed(cache: CoefficientCache) -> Tensor:
    source = open_images(cache, Residency("stream", ""), CPU, shift=0.0, scale=1.0)
    return torch.cat(list(source.batches([np.arange(0, 6), np.arange(6, N_IMAGES)])))


def held(cache: CoefficientCache) -> Tensor:
    return load(cache, CPU)


def flip(words: NDArray[np.uint16], row: int) -> None:
    words[row, 5] ^= 1 << 3


def flip_last(words: NDArray[np.uint16], row: int) -> None:
    words[row, -1] ^= 1


def put_nan(words: NDArray[np.uint16], row: int) -> None:
    words[row, 0] = np.float16(np.nan).view(np.uint16)


def swap(words: NDArray[np.uint16], row: int) -> None:
    words[[row, row + 1]] = words[[row + 1, row]]


def cut_to_zero(words: NDArray[np.uint16], row: int) -> None:
    words[row, 10:] = 0


def change_coefficients(cache: CoefficientCache, row: int, change: Change) -> None:
    """Change the coefficients of a row in the file where they lie, and nothing else."""
    file = cache.file_of(row)
    n_rows = layout.read_header(file.path).n_images
    shape = (n_rows, cache.n_coefficients * 2)
    words = np.memmap(file.path, np.uint16, "r+", file.offset, shape)
    change(words, row - file.first)
    words.flush()


@pytest.mark.parametrize("read", [streamed, held])
@pytest.mark.parametrize("change", [flip, flip_last, put_nan, swap, cut_to_zero])
def test_an_image_that_is_not_as_it_was_written_is_named(
    stored: CoefficientCache,
    particles: ParticleSet,
    reader: ImaginaryReader,
    read: Callable[[CoefficientCache], Tensor],
    change: Change,
) -> None:
    change_coefficients(stored, ROW - (change is swap), change)
    cache = open_cache(stored.path, particles, reader, AS_BUILT)
    name = particles.image_name[ROW - (change is swap)]
    with pytest.raises(CacheError, match=f"of image {name}.* that were written; .*--rebuild-cache"):
        read(cache)


def test_images_that_are_whole_are_read_beside_a_damaged_one(
    stored: CoefficientCache,
) -> None:
    expected = held(stored)
    change_coefficients(stored, ROW, flip)
    source = open_images(
        replace(stored, files=tuple(map(as_it_is, stored.files))),
        Residency("stream", ""), CPU, shift=0.0, scale=stored.header.scale,
    )  # fmt: skip
    others = np.delete(np.arange(N_IMAGES), ROW)
    (found,) = source.batches([others])
    assert torch.equal(found, expected[others].float())


def as_it_is(file: object) -> object:
    """A file of a cache with the time of its last change."""
    return replace(file, identity=identity_of(file.path))  # type: ignore[attr-defined, type-var]


def identity_of(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns


def test_coefficients_of_another_number_type_are_refused(
    cache: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    with h5py.File(cache.path, "r+", locking=False) as file:
        values = file[layout.COEFFICIENTS][:]
        del file[layout.COEFFICIENTS]
        file[layout.COEFFICIENTS] = values.astype(np.float32)
    with pytest.raises(CacheError, match=r"c.*\.h5: .*--rebuild-cache"):
        held(open_cache(cache.path, particles, reader, AS_BUILT))


def columns(path: Path) -> list[str]:
    names: list[str] = []
    with h5py.File(path, "r", locking=False) as file:
        file.visititems(
            lambda name, found: names.append(name) if isinstance(found, h5py.Dataset) else None
        )
    return [name for name in names if name != layout.COEFFICIENTS.strip("/")]


def test_a_change_of_any_column_or_of_the_header_is_refused(
    stored: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    whole, names = stored.path.read_bytes(), columns(stored.path)
    assert len(names) >= len(fields(particles.images)) + 2
    changes = {"rms": 2.0, "scale": 0.5, "dtype": "float32", "extent": 0.4}
    for name in (*names, *changes):
        with h5py.File(stored.path, "r+", locking=False) as file:
            if name in changes:
                assert file.attrs[name] != changes[name]
                file.attrs[name] = changes[name]
            else:
                values = file[name][:]
                values.reshape(-1).view(np.uint8)[-1] ^= 1
                file[name][:] = values
        with pytest.raises(CacheError, match=r"c\.h5: .* header and tables are not .* --rebuild"):
            open_cache(stored.path, particles, reader, AS_BUILT)
        stored.path.write_bytes(whole)


def test_checksums_that_were_changed_in_a_part_are_refused(
    particles: ParticleSet, reader: ImaginaryReader, tmp_path: Path
) -> None:
    in_two = CacheSpec(reserve_gb=0, files=2)
    build_cache(tmp_path / "c.h5", particles, reader, AS_BUILT, in_two)
    with h5py.File(tmp_path / "c.2of2.h5", "r+", locking=False) as file:
        file["images/checksum"][0] ^= 1
    with pytest.raises(CacheError, match=r"c.2of2.h5: the cache is damaged"):
        open_cache(tmp_path / "c.h5", particles, reader, AS_BUILT)


def test_a_damaged_cache_is_rebuilt_without_a_look_at_its_tables(
    stored: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader
) -> None:
    """HDF5 may hang on them."""
    expected = held(stored).double() * stored.header.scale
    with stored.path.open("r+b") as file:
        file.seek(512)
        file.write(b"\xff" * 4096)
    anew = CacheSpec(reserve_gb=0, rebuild=True, files=1)
    cache = ensure_cache(stored.path, particles, reader, AS_BUILT, anew)
    assert torch.equal(held(cache).double() * cache.header.scale, expected)
    assert [path.name for path in stored.path.parent.iterdir()] == ["c.h5"]


def test_a_cache_of_before_is_read_unverified(
    stored: CoefficientCache,
    particles: ParticleSet,
    reader: ImaginaryReader,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = held(stored)
    for path in {stored.path, *(file.path for file in stored.files)}:
        with h5py.File(path, "r+", locking=False) as file:
            if "checksum" in file["images"]:
                del file["images/checksum"]
        path.write_bytes(path.read_bytes()[512:])  # without the seal
    with caplog.at_level(logging.INFO, "tomodrgn"):
        cache = open_cache(stored.path, particles, reader, AS_BUILT)
    assert [record.message for record in caplog.records if "unverified" in record.message]
    assert torch.equal(held(cache), expected)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 40))]
)
def test_a_bit_that_flips_anywhere_is_refused_or_changes_nothing(
    cache: CoefficientCache, particles: ParticleSet, reader: ImaginaryReader, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    whole, expected = cache.path.read_bytes(), held(cache)
    n_refused = 0
    for _ in range(50):
        bit = int(rng.integers(8 * len(whole)))
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        cache.path.write_bytes(changed)
        try:
            found = open_cache(cache.path, particles, reader, AS_BUILT)
            assert found.header == cache.header
            assert torch.equal(held(found), expected)
            assert (found.rows(particles) == np.arange(N_IMAGES)).all()
        except TomodrgnError:
            n_refused += 1
    assert n_refused
