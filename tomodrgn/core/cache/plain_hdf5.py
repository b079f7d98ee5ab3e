"""HDF5 as a cache uses it: groups and uncompressed datasets in the file itself, and nothing else.

A file of a stranger may hold links to other files, datasets kept elsewhere, filters that load a
library, and shapes of any size. All of that is refused before a dataset is read.
"""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING, Final

import h5py

if TYPE_CHECKING:
    from collections.abc import Iterator

_PART_NAME: Final = re.compile(r"[^/\\.][^/\\]*\.\d+of\d+\.?[^/\\]*")
_MAX_OBJECTS: Final = 1000
_LINKS: Final = {h5py.SoftLink: "a soft link", h5py.ExternalLink: "a link to another file"}


def require_plain(file: h5py.File, virtual: str) -> None:
    """Refuse a file of which something lies elsewhere, or is not what it declares.

    Args:
        file: the open file; nothing of it has been read.
        virtual: the one dataset that may show the datasets of the same name in parts beside it.

    Raises:
        ValueError: what it holds, and where.
    """
    n_bytes = os.stat(file.filename).st_size  # noqa: PTH116  the name is text
    for name, dataset in _datasets(file):
        if dataset.is_virtual:
            _require_parts(name, dataset, virtual)
            continue
        if dataset.external:
            raise ValueError(f"{name} lies in another file")
        if dataset.id.get_create_plist().get_nfilters():
            raise ValueError(f"{name} is compressed or filtered")
        if dataset.dtype.hasobject:
            raise ValueError(f"{name} holds values of any length")
        declared = math.prod(dataset.shape or ()) * dataset.dtype.itemsize
        if declared > n_bytes and name != virtual:  # which is not read through HDF5
            raise ValueError(f"{name} declares {declared:,} bytes, the file has {n_bytes:,}")


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """All datasets by name, reached by hard links."""
    groups: list[tuple[str, h5py.Group]] = [("", file)]
    n_objects = 0
    for prefix, group in groups:
        for key in group:
            n_objects += 1
            if n_objects > _MAX_OBJECTS:
                raise ValueError(f"it holds more than {_MAX_OBJECTS} objects")
            name = f"{prefix}/{key}"
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise ValueError(f"{name} is {_LINKS.get(type(link), 'a link of its own kind')}")
            found = group[key]
            if isinstance(found, h5py.Dataset):
                yield name, found
            elif isinstance(found, h5py.Group):
                groups.append((name, found))


def _require_parts(name: str, dataset: h5py.Dataset, virtual: str) -> None:
    if name != virtual:
        raise ValueError(f"{name} is shown from other files")
    for source in dataset.virtual_sources():
        if not _PART_NAME.fullmatch(source.file_name) or source.dset_name != virtual:
            raise ValueError(
                f"{name} is shown from {source.dset_name} of {source.file_name}, which is no part "
                "of a cache beside it"
            )
