"""The HDF5 layout of a cache: what lies where, and what the root attributes say.

::

    /                      attributes: see CacheHeader
    /images/coefficients   (M, P, 2) float16 or float32, contiguous, uncompressed
    /images/checksum       (M,) uint64, XXH3 of the bytes of each image's coefficients
    /images/name           (M,) str, unique
    /images/source_image   (M,) int64, row in the input
    /images/<column>       every column of ImageTable; those of the CTF under /images/ctf
    /images/damage         (M,) uint8, why an image is left out, 0 where it is not; where looked at
    /particles/tomogram    (B,) str
    /particles/name        (B,) str
    /particles/start       (B + 1,) int64, first image of each particle, then M

Coefficients are those of :class:`~tomodrgn.core.fourier.disc.HalfPlaneDisc`, windowed, centered by
the known shift and divided by ``scale``. They are written and read at the file offset of their
dataset, not through HDF5; this module is the only one that speaks HDF5. In front of it is a block
of text, see :mod:`~tomodrgn.core.cache.seal`.

The coefficients of a large cache lie in several files, each a cache of consecutive particles by
itself. The file that was asked for then holds every column, and in place of the coefficients a
virtual dataset that other programs read like any other.
"""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import h5py
import numpy as np

from tomodrgn.core.cache.hdf5_writing import hdf5_writing
from tomodrgn.core.cache.plain_hdf5 import require_plain
from tomodrgn.core.cache.seal import SEAL_BYTES, Seal, finish_seal, read_seal, write_seal
from tomodrgn.core.errors import CacheError
from tomodrgn.core.files.json_text import parse_json
from tomodrgn.core.files.unreadable import require_readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

    from tomodrgn.core.particles.tables import ImageTable, ParticleSet

ENCODING_TYPE = "tomodrgn-cache"
"""Marks a file as a cache."""

ENCODING_VERSION = 1
"""Rises whenever a reader of the former version could no longer read the file."""

COEFFICIENTS = "/images/coefficients"
CHECKSUM = "/images/checksum"
_DAMAGE = "images/damage"
_GRAY_LEVELS = "gray_levels"
_JSON_ATTRIBUTES = ("preparation", "fingerprint")
_NAMES_AT_ONCE = 1 << 16
_REBUILD = "use --rebuild-cache or another --cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheHeader:
    """The root attributes of a cache.

    Attributes:
        box_size_px: box edge D of the images.
        pixel_size_a: their pixel size in angstrom.
        extent: largest frequency kept, in cycles/px.
        n_images: M.
        n_coefficients: P.
        dtype: number type of the coefficients.
        scale: what the transforms were divided by before they were stored; a power of two.
        rms: root of the mean squared modulus of all transforms before that division; NaN until
            the cache is finished.
        preparation: the preparation spec.
        fingerprint: the files behind the images.
        program_version: version of the program that built the cache.
        build: digest of what a cache of several files holds, in each of them; empty in a cache of
            one file.
        part: number of this file among them, from 1; 0 in the file that names them all.
    """

    box_size_px: int
    pixel_size_a: float
    extent: float
    n_images: int
    n_coefficients: int
    dtype: Literal["float16", "float32"]
    scale: float
    rms: float
    preparation: Mapping[str, Any]
    fingerprint: Mapping[str, Any]
    program_version: str
    build: str = ""
    part: int = 0

    @property
    def is_finished(self) -> bool:
        """Whether all coefficients are there."""
        return math.isfinite(self.rms)

    @property
    def image_bytes(self) -> int:
        """Size of the coefficients of one image."""
        return self.n_coefficients * 2 * np.dtype(self.dtype).itemsize

    @property
    def coefficient_bytes(self) -> int:
        """Size of all coefficients."""
        return self.n_images * self.image_bytes


@dataclass(frozen=True, slots=True)
class PartFile:
    """One of several files of coefficients.

    Attributes:
        name: file name, in the folder of the file that names it.
        first: its first image, counted over all files.
        n_images: how many it holds.
    """

    name: str
    first: int
    n_images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrayLevelsFound:
    """What was found of the gray levels of M images, and what was done.

    Attributes:
        normalizes: whether backgrounds were brought to one level and deviation.
        reasons: why, or what was found.
        n_healed: images of which a few extreme pixels were replaced by background.
        damage: (M,) uint8 why an image is left out, a code of
            :mod:`tomodrgn.core.gray_levels.damage`; its coefficients are 0.
        background: typical level of backgrounds in the files, in deviations; None where it could
            not be measured, or was not written down.
        deviation: typical deviation of backgrounds in the files, over what is expected of it; so.
    """

    normalizes: bool
    reasons: tuple[str, ...]
    n_healed: int
    damage: NDArray[np.uint8]
    background: float | None = None
    deviation: float | None = None


def write_skeleton(
    path: Path, header: CacheHeader, particles: ParticleSet, parts: Sequence[PartFile] = ()
) -> None:
    """Write a cache with every column, and room for coefficients that are still to come.

    With ``parts``, the coefficients are to come in these files instead.
    """
    with hdf5_writing(path, "w", skipping=SEAL_BYTES) as file:
        file.attrs["encoding-type"] = ENCODING_TYPE
        file.attrs["encoding-version"] = ENCODING_VERSION
        for name, value in asdict(header).items():
            file.attrs[name] = json.dumps(value) if name in _JSON_ATTRIBUTES else value
        images = file.create_group("images")
        _write_names(images, "name", particles.image_name)
        images["source_image"] = particles.source_image
        _write_columns(images, particles.images)
        group = file.create_group("particles")
        _write_names(group, "tomogram", particles.tomogram)
        _write_names(group, "name", particles.name)
        group["start"] = particles.starts
        if parts:
            _refer_to_coefficients(file, header, parts)
        else:
            _reserve(file, CHECKSUM, (header.n_images,), np.uint64)
            shape = (header.n_images, header.n_coefficients, 2)
            _reserve(file, COEFFICIENTS, shape, header.dtype)
    write_seal(path, Seal(header.build, header.part))


def finish(path: Path, rms: float, found: GrayLevelsFound | None = None) -> None:
    """Mark a cache as finished by its normalization, and add what was found of gray levels."""
    with hdf5_writing(path, "r+") as file:
        if found is not None:
            told = {
                "normalizes": found.normalizes,
                "reasons": found.reasons,
                "n_healed": found.n_healed,
                "background": found.background,
                "deviation": found.deviation,
            }
            file.attrs[_GRAY_LEVELS] = json.dumps(told)
            if _DAMAGE in file:  # of an attempt that was killed after this
                del file[_DAMAGE]
            file[_DAMAGE] = found.damage
        file.attrs.modify("rms", rms)
        stored = file[COEFFICIENTS]
        where = (0, 0) if stored.is_virtual else (stored.nbytes, stored.id.get_offset())
    finish_seal(path, *where)


def read_checksums(path: Path) -> NDArray[np.uint64] | None:
    """(M,) checksums of the coefficients of a file; None where it has none."""
    with _reading(path) as file:
        if CHECKSUM not in file:
            return None
        checksums: NDArray[np.uint64] = file[CHECKSUM][:]
        return checksums


def read_gray_levels(path: Path) -> GrayLevelsFound | None:
    """What was found of the gray levels of a finished cache; None where nobody looked."""
    with _reading(path) as file:
        if _GRAY_LEVELS not in file.attrs:
            return None
        told = parse_json(file.attrs[_GRAY_LEVELS])
        told["reasons"] = tuple(told["reasons"])
        return GrayLevelsFound(**told, damage=file[_DAMAGE][:])


def read_header(path: Path) -> CacheHeader:
    """Root attributes of a cache.

    Raises:
        CacheError: the file is no cache, or one of another version.
    """
    with _reading(path) as file:
        return _parse_header(path, dict(file.attrs))


def is_cache(path: Path) -> bool:
    """Whether a file is a cache of any version."""
    return read_origin(path) is not None


def read_origin(path: Path) -> tuple[str, int] | None:
    """Build and part of a cache of any version, see :class:`CacheHeader`; None of other files."""
    try:
        seal = read_seal(path)
        if seal is not None:
            return seal.build, seal.part
        with h5py.File(path, "r", locking=False) as file:  # of before, without a seal
            if file.attrs.get("encoding-type") != ENCODING_TYPE:
                return None
            return str(file.attrs.get("build", "")), int(file.attrs.get("part", 0))
    except (OSError, TypeError, ValueError) as error:
        require_readable(path, error)
        return None


def part_files(path: Path) -> tuple[PartFile, ...]:
    """The files that hold the coefficients, in order; none where they lie in ``path`` itself."""
    with _reading(path) as file:
        coefficients = file[COEFFICIENTS]
        sources = coefficients.virtual_sources() if coefficients.is_virtual else []
        parts = []
        for source in sources:
            (first, *_), (last, *_) = source.vspace.get_select_bounds()
            parts.append(PartFile(source.file_name, int(first), int(last - first + 1)))
    return tuple(sorted(parts, key=lambda part: part.first))


def coefficient_offset(path: Path) -> int:
    """Byte of the file at which the coefficients begin."""
    return _offset(path, COEFFICIENTS)


def checksum_offset(path: Path) -> int:
    """Byte of the file at which the checksums of the coefficients begin."""
    return _offset(path, CHECKSUM)


def _offset(path: Path, name: str) -> int:
    with _reading(path) as file:
        offset = file[name].id.get_offset()
    if offset is None:
        raise CacheError(
            f"{path}: {name} is compressed or in chunks, it must be contiguous; use --rebuild-cache"
        )
    return int(offset)


def read_image_names(path: Path) -> NDArray[np.object_]:
    """(M,) names of the cached images."""
    with _reading(path) as file:
        encoded = file["images/name"]
        names = np.empty(len(encoded), dtype=object)
        for rows in _parts(len(names)):
            names[rows] = np.char.decode(encoded[rows], "utf-8")
    return names


def read_shifts(path: Path) -> NDArray[np.float32]:
    """(M, 2) shifts by which the cached images were centered, in px."""
    with _reading(path) as file:
        return file["images/shift_px"][:]  # type: ignore[no-any-return]


@contextmanager
def _reading(path: Path) -> Iterator[h5py.File]:
    """The open file; whatever HDF5 or JSON find wrong with it in the block is damage."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            require_plain(file, COEFFICIENTS)
            yield file
    except (OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        require_readable(path, error)
        reason = " ".join(str(error).split())
        raise CacheError(
            f"{path}: this is no cache, or a damaged one ({reason}); give another --cache, or "
            "delete the file so that it is built anew"
        ) from error


def _parse_header(path: Path, attributes: Mapping[str, Any]) -> CacheHeader:
    if attributes.get("encoding-type") != ENCODING_TYPE:
        raise CacheError(f"{path}: this file is not a tomodrgn cache; give another --cache")
    version = int(attributes["encoding-version"])
    if version != ENCODING_VERSION:
        raise CacheError(
            f"{path}: the cache has layout version {version}, this program reads version "
            f"{ENCODING_VERSION}; use --rebuild-cache or another --cache"
        )
    known = [f.name for f in fields(CacheHeader) if f.name in attributes]
    values = {name: _plain(attributes[name]) for name in known}
    for name in _JSON_ATTRIBUTES:
        values[name] = parse_json(values[name])
    header = CacheHeader(**values)
    _require_kinds(path, header)
    return header


def _require_kinds(path: Path, header: CacheHeader) -> None:
    """Refuse attributes that are no numbers, words or mappings where these are needed."""
    kinds: dict[str, type | tuple[type, ...]] = {
        "box_size_px": int, "n_images": int, "n_coefficients": int, "part": int, "dtype": str,
        "program_version": str, "build": str, "pixel_size_a": (int, float), "extent": (int, float),
        "scale": (int, float), "rms": (int, float), "preparation": dict, "fingerprint": dict,
    }  # fmt: skip
    for name, kind in kinds.items():
        value = getattr(header, name)
        if not isinstance(value, kind) or (isinstance(value, int) and value < 0):
            raise CacheError(f"{path}: its attribute {name} is {value!r}; {_REBUILD}")
    if header.dtype not in {"float16", "float32"}:
        raise CacheError(f"{path}: its attribute dtype is {header.dtype!r}; {_REBUILD}")


def _plain(value: Any) -> Any:
    """The Python value of an attribute."""
    return value.item() if isinstance(value, np.generic) else value


def _write_names(group: h5py.Group, name: str, values: NDArray[np.object_]) -> None:
    """Store strings as UTF-8 of equal length, which is read much faster than any length."""
    parts = [np.char.encode(values[rows].astype(str), "utf-8") for rows in _parts(len(values))]
    encoded = np.concatenate(parts)
    group[name] = encoded.astype(h5py.string_dtype("utf-8", encoded.itemsize))


def _parts(n_names: int) -> list[slice]:
    """Names that are converted at once, which takes several times their memory."""
    return [slice(n, n + _NAMES_AT_ONCE) for n in range(0, max(1, n_names), _NAMES_AT_ONCE)]


def _write_columns(group: h5py.Group, images: ImageTable[NDArray[Any]]) -> None:
    """Store every column of an image table."""
    for field in fields(images):
        if field.name != "ctf" and getattr(images, field.name) is not None:
            group[field.name] = getattr(images, field.name)
    if images.ctf is not None:
        for field in fields(images.ctf):
            group[f"ctf/{field.name}"] = getattr(images.ctf, field.name)


def _reserve(file: h5py.File, name: str, shape: tuple[int, ...], number: DTypeLike) -> None:
    """Place a dataset in the file without writing to it."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)  # equal caches are equal files
    properties.set_layout(h5py.h5d.CONTIGUOUS)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    kind = h5py.h5t.py_create(np.dtype(number))
    h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple(shape), properties)


def _refer_to_coefficients(file: h5py.File, header: CacheHeader, parts: Sequence[PartFile]) -> None:
    """Show the coefficients of other files, which may still be missing, as one dataset."""
    number = np.dtype(header.dtype)
    layout = h5py.VirtualLayout((header.n_images, header.n_coefficients, 2), number)
    for part in parts:
        shape = (part.n_images, header.n_coefficients, 2)
        source = h5py.VirtualSource(part.name, COEFFICIENTS, shape, number)
        layout[part.first : part.first + part.n_images] = source
    file.create_virtual_dataset(COEFFICIENTS, layout)
