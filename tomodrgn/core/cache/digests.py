"""Checksums of a cache: whether what is read is what was written.

The coefficients of each image carry one, ``/images/checksum``. The root attribute ``checksums``
holds one of every column, those of the images among them, and ``digest`` one of all other root
attributes. Caches of before have none and are read unverified.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np
import xxhash

from tomodrgn.core.cache.positioned import byte_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

CHECKSUM: Final = "/images/checksum"
_COLUMNS: Final = "checksums"
_DIGEST: Final = "digest"
_ROWS_AT_ONCE: Final = 1 << 16


def image_checksums(stored: memoryview, image_bytes: int) -> NDArray[np.uint64]:
    """(M,) checksums of the coefficients of M images that lie one after another."""
    digest, starts = xxhash.xxh3_64_intdigest, range(0, len(stored), image_bytes)
    sums = (digest(stored[start : start + image_bytes]) for start in starts)
    return np.fromiter(sums, np.uint64, len(starts))


def seal(file: h5py.File, *, except_for: str) -> None:
    """Write down the checksums of all columns and attributes of a file that is complete.

    Args:
        file: open for changes.
        except_for: the dataset of coefficients, whose checksums are one of the columns.
    """
    file.attrs[_COLUMNS] = json.dumps(
        {name: _of_column(file[name]) for name in _columns(file, except_for)}, sort_keys=True
    )
    file.attrs[_DIGEST] = _of_attributes(dict(file.attrs))


def is_sealed(file: h5py.File) -> bool:
    """Whether a file has checksums."""
    return _DIGEST in file.attrs


def first_damage(
    file: h5py.File, *, except_for: str, only: tuple[str, ...] | None = None
) -> str | None:
    """What of a sealed file is not what was written; None where all is.

    Args:
        file: open.
        except_for: the dataset of coefficients.
        only: columns to look at besides the attributes, all by default.
    """
    if _of_attributes(dict(file.attrs)) != file.attrs[_DIGEST]:
        return "its root attributes are not those that were written"
    noted: dict[str, str] = json.loads(file.attrs[_COLUMNS])
    there = set(_columns(file, except_for))
    for name in sorted(noted.keys() | there if only is None else only):
        if name not in there:
            return f"{name} is missing"
        if name not in noted:
            return f"{name} does not belong to it"
        if _of_column(file[name]) != noted[name]:
            return f"{name} is not what was written"
    return None


def _columns(file: h5py.File, except_for: str) -> Iterator[str]:
    """Names of the datasets of a file, which has no links but to what it holds."""
    names: list[str] = []
    file.visititems(
        lambda name, found: names.append(f"/{name}") if isinstance(found, h5py.Dataset) else None
    )
    return (name for name in sorted(names) if name != except_for)


def _of_column(column: h5py.Dataset) -> str:
    """Checksum of the number type, shape and values of a column, read part by part."""
    digest = xxhash.xxh3_128(f"{column.dtype.str} {column.shape}".encode())
    for first in range(0, len(column), _ROWS_AT_ONCE):
        digest.update(byte_view(np.ascontiguousarray(column[first : first + _ROWS_AT_ONCE])))
    return str(digest.hexdigest())


def _of_attributes(attributes: Mapping[str, Any]) -> str:
    """Checksum of all root attributes but itself."""
    plain = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in attributes.items()
        if name != _DIGEST
    }
    return str(xxhash.xxh3_128_hexdigest(json.dumps(plain, sort_keys=True, default=repr).encode()))
