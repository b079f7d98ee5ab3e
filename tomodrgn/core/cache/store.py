"""Opening a cache: is it the one that this run needs, and which of its rows?

A cache is trusted only if its layout, its preparation and the files behind it are those of the
run. It may hold more images than the run needs; images are found by name, never by position.
"""

from __future__ import annotations

import logging
import os
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tomodrgn.core.cache import layout
from tomodrgn.core.cache.attempt import file_identity
from tomodrgn.core.cache.job import describe_preparation, describe_source
from tomodrgn.core.cache.prepare import build_cache
from tomodrgn.core.cache.publish import complete, is_half_published
from tomodrgn.core.cache.seal import verify
from tomodrgn.core.cache.team import ALONE, agreed
from tomodrgn.core.errors import CacheError
from tomodrgn.core.ownership.lease import lock_of_file, one_writer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tomodrgn.core.cache.fill import Progress
    from tomodrgn.core.cache.team import Team
    from tomodrgn.core.interfaces import Reader
    from tomodrgn.core.particles.tables import ParticleSet
    from tomodrgn.core.specs.dataset import CacheSpec, PreparationSpec

REBUILD = "use --rebuild-cache to build it anew, or another --cache"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CoefficientFile:
    """A file of coefficients of consecutive images.

    Attributes:
        path: the file.
        first: row of the cache that its first image has.
        offset: byte at which the coefficients begin.
        identity: what changes when the file is replaced.
        checksums: (M,) of its images; None in caches of before, which are read unverified.
    """

    path: Path
    first: int
    offset: int
    identity: tuple[int, int]
    checksums: NDArray[np.uint64] | None = field(default=None, compare=False, repr=False)

    def open_file(self) -> int:
        """Descriptor of the file for reading, if it is still the one that was checked.

        Raises:
            CacheError: the file is gone, or another one has taken its place.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise CacheError(
                f"{self.path}: the cache cannot be opened ({error.strerror})"
            ) from error
        stat = os.fstat(descriptor)
        if (stat.st_ino, stat.st_mtime_ns) != self.identity:
            os.close(descriptor)
            raise CacheError(
                f"{self.path}: the cache was replaced while it was in use; start this run again"
            )
        return descriptor


@dataclass(frozen=True, slots=True)
class CoefficientCache:
    """A finished cache on disk; holds no open file, so it may be pickled, forked and shared.

    Attributes:
        path: the file that was asked for.
        header: its root attributes.
        files: where the coefficients lie, in the order of the rows: the file itself, or its parts.
    """

    path: Path
    header: layout.CacheHeader
    files: tuple[CoefficientFile, ...]

    @property
    def rms(self) -> float:
        """Root of the mean squared modulus of all transforms: the scale that normalizes them."""
        return self.header.rms

    @property
    def n_images(self) -> int:
        """Rows of the cache."""
        return self.header.n_images

    @property
    def n_coefficients(self) -> int:
        """P."""
        return self.header.n_coefficients

    @property
    def n_bytes(self) -> int:
        """Size of all coefficients as they are stored."""
        return self.header.coefficient_bytes

    def file_of(self, row: int) -> CoefficientFile:
        """The file that holds a row."""
        firsts = [file.first for file in self.files]
        return self.files[bisect_right(firsts, row) - 1]

    def image_name(self, row: int) -> str:
        """Name of the image of a row."""
        return str(layout.read_image_names(self.path)[row])

    def gray_levels(self) -> layout.GrayLevelsFound | None:
        """What was found of the gray levels of its images; None where nobody looked."""
        return layout.read_gray_levels(self.path)

    def rows(self, particles: ParticleSet) -> NDArray[np.int64]:
        """(M,) cache row of each image of a set, joined by name.

        Raises:
            CacheError: an image is missing, or was centered by another shift.
        """
        names = pd.Index(layout.read_image_names(self.path))
        rows: NDArray[np.int64] = names.get_indexer(pd.Index(particles.image_name)).astype(np.int64)
        if (rows < 0).any():
            first = particles.image_name[rows < 0][0]
            raise CacheError(
                f"{self.path}: {(rows < 0).sum()} of {len(rows)} images of {particles.source} are "
                f"not in the cache, the first is {first}; {REBUILD}"
            )
        moved = (layout.read_shifts(self.path)[rows] != particles.images.shift_px).any(axis=1)
        if moved.any():
            raise CacheError(
                f"{self.path}: {moved.sum()} images were centered by other shifts than those of "
                f"{particles.source}, the first is {particles.image_name[moved][0]}; {REBUILD}"
            )
        return rows


def open_cache(
    path: Path, particles: ParticleSet, reader: Reader, preparation: PreparationSpec
) -> CoefficientCache:
    """The cache at ``path``, if it holds what the run needs.

    Args:
        path: a finished cache.
        particles: the images that must be in it.
        reader: tells which files they come from.
        preparation: window and extent that they must have.

    Raises:
        CacheError: the file is missing, foreign, unfinished or stale; the message says why.
    """
    path = _behind_link(Path(path))
    if file_identity(path) is None:
        raise CacheError(
            f"{path}: there is no cache; build it with tomodrgn prepare --cache {path}"
        )
    if not verify(path):
        logger.info("%s: it has no checksums and is read unverified; %s", path, REBUILD)
    header = layout.read_header(path)
    if header.part:
        raise CacheError(
            f"{path}: this is part {header.part} of a cache; give the file that all parts belong to"
        )
    files = _open_files(path, header)
    wanted = describe_preparation(preparation)
    if _was_normalized(path, header) and wanted["normalize"] == "on":
        wanted["normalize"] = header.preparation.get("normalize")
    _require_equal(path, "preparation", header.preparation, wanted)
    _require_equal(path, "input", header.fingerprint, describe_source(reader))
    cache = CoefficientCache(path, header, files)
    cache.rows(particles)
    return cache


def _was_normalized(path: Path, header: layout.CacheHeader) -> bool:
    """Whether the images were normalized, maybe because they were found to need it."""
    found = layout.read_gray_levels(path) if header.preparation.get("normalize") else None
    return found is not None and found.normalizes


def _open_files(path: Path, header: layout.CacheHeader) -> tuple[CoefficientFile, ...]:
    """The files behind a cache, if all are there, whole and of one build."""
    parts = layout.part_files(path)
    files = [_open_part(path, header, part, number) for number, part in enumerate(parts, start=1)]
    return tuple(files) or (_open_one(path, header, 0),)


def _open_part(
    path: Path, header: layout.CacheHeader, part: layout.PartFile, number: int
) -> CoefficientFile:
    """One of several files of a cache."""
    beside = path.with_name(part.name)
    if file_identity(beside) is None:
        raise CacheError(
            f"{beside}: this part of {path.name} is missing; put it back, or {REBUILD}"
        )
    verify(beside)
    found = layout.read_header(beside)
    if found != replace(header, part=number, n_images=part.n_images):
        raise CacheError(
            f"{beside}: this is no part of {path.name}, or one of another build; put the part "
            f"back that belongs to it, or {REBUILD}"
        )
    return _open_one(beside, found, part.first)


def _open_one(path: Path, header: layout.CacheHeader, first: int) -> CoefficientFile:
    """A file of coefficients, if all of them are there."""
    offset, identity = layout.coefficient_offset(path), file_identity(path)
    whole = path.stat().st_size >= offset + header.coefficient_bytes
    if identity is None or not header.is_finished or not whole:
        raise CacheError(f"{path}: the cache is incomplete; {REBUILD}")
    return CoefficientFile(path, first, offset, identity, layout.read_checksums(path))


def ensure_cache(
    path: Path,
    particles: ParticleSet,
    reader: Reader,
    preparation: PreparationSpec,
    spec: CacheSpec,
    *,
    progress: Progress | None = None,
    team: Team = ALONE,
) -> CoefficientCache:
    """The cache at ``path``, built first where there is none or where the spec asks for it.

    Args:
        path: the cache; a link leads to the file that is meant.
        particles: the images that must be in it.
        reader: loads their pixels.
        preparation: window and extent that they must have.
        spec: how it is built.
        progress: called with images done and images in all.
        team: processes that all call this, and share the work.

    Raises:
        CacheError: a cache is there and does not hold what the run needs.
        DataError: the images cannot be prepared.
    """
    path = _behind_link(Path(path))
    _complete(path, team)
    is_missing = spec.rebuild or file_identity(path) is None
    if any(team.gather("missing" if is_missing else "")):
        build_cache(
            path,
            particles,
            reader,
            preparation,
            spec,
            progress=progress,
            team=team,
            is_missing=is_missing,
        )
    with team.agreement():
        cache = open_cache(path, particles, reader, preparation)
        if np.dtype(cache.header.dtype).itemsize < np.dtype(spec.dtype).itemsize:
            raise CacheError(
                f"{path}: the cache is {cache.header.dtype}, the run needs {spec.dtype}; {REBUILD}"
            )
    return cache


def _behind_link(path: Path) -> Path:
    """The file that a path leads to; parts lie beside it, and it is what is built anew."""
    return path.resolve() if path.is_symlink() else path


def _complete(path: Path, team: Team) -> None:
    """Complete a cache that was being put in its place when the process that did so was killed."""
    for is_ours in (team.rank == 0, team.rank > 0 and team.is_first_on_node):
        with agreed(team, path):
            if is_ours and is_half_published(path):
                with one_writer(lock_of_file(path), place=path):
                    complete(path)


def _require_equal(
    path: Path, what: str, stored: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
    """Refuse a cache whose description differs, naming the first difference."""
    difference = _first_difference(stored, wanted)
    if difference is not None:
        raise CacheError(f"{path}: the cache is stale, its {what} differs: {difference}; {REBUILD}")


def _first_difference(stored: object, wanted: object, place: str = "") -> str | None:
    """Where two JSON values differ and how, or None."""
    stored, wanted = _by_path(stored), _by_path(wanted)
    if not isinstance(stored, dict) or not isinstance(wanted, dict):
        return None if stored == wanted else f"{place} is {stored} in the cache and {wanted} now"
    for key in stored | wanted:
        inner = f"{place} {key}".strip()
        if key not in wanted:
            return f"{inner} is only in the cache"
        if key not in stored:
            return f"{inner} is not in the cache"
        difference = _first_difference(stored[key], wanted[key], inner)
        if difference is not None:
            return difference
    return None


def _by_path(value: object) -> object:
    """A list of described files as a mapping from their paths; anything else as it is."""
    if isinstance(value, list) and all(isinstance(item, dict) and "path" in item for item in value):
        return {item["path"]: item for item in value}
    return value
