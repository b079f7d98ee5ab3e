"""Which files belong to a cache: its parts, and what attempts at it have left.

A file belongs to a cache if its name is made of that of the cache, it lies beside it, and what it
holds says so: a part carries the build of the file that names it, so that the parts of a cache
that was copied or renamed stay those of the original. All other files are left alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tomodrgn.core.cache import layout
from tomodrgn.core.cache.job import partial_of, record_of
from tomodrgn.core.cache.progress import is_record
from tomodrgn.core.errors import CacheError

if TYPE_CHECKING:
    from pathlib import Path

    from tomodrgn.core.cache.job import BuildJob

_ELSEWHERE = "give another --cache, or move it away"


def part_paths(index: Path, path: Path) -> list[Path]:
    """The files that ``index`` names as parts of the cache ``path``, beside it.

    None where ``index`` is no cache of several files; names that are not made of that of the cache
    do not count.
    """
    name = _name_of_part(path)
    try:
        parts = layout.part_files(index)
    except CacheError:
        return []
    return [path.with_name(part.name) for part in parts if name.fullmatch(part.name)]


def _name_of_part(path: Path) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(path.stem)}\.\d+of\d+{re.escape(path.suffix)}")


def own_parts(path: Path) -> list[Path]:
    """The parts of a finished cache that carry its own build."""
    own = layout.read_origin(path)
    if own is None or not own[0]:
        return []
    name = _name_of_part(path)
    beside = [file for file in path.parent.iterdir() if name.fullmatch(file.name)]
    return [file for file in beside if _is_of(own, layout.read_origin(file))]


def refuse_foreign(job: BuildJob) -> None:
    """Refuse to build where files would be replaced that do not belong to the cache.

    Raises:
        CacheError: such a file is in the way.
    """
    require_cache(job.path)
    own = layout.read_origin(job.path)
    for number, file in enumerate(job.parts, start=1):
        path = job.path.with_name(file.name)
        found = layout.read_origin(path)
        if path.exists() and found is None:
            raise _not_ours(path)
        if found not in (None, (job.header.build, number)) and not _is_of(own, found):
            raise CacheError(
                f"{path}: this file is in the way of a part of {job.path.name} and does not belong "
                f"to it; {_ELSEWHERE}"
            )
    for path in (job.path, *(job.path.with_name(file.name) for file in job.parts)):
        partial, record = partial_of(path), record_of(path)
        if partial.exists() and not layout.is_cache(partial):
            raise _not_ours(partial)
        if record.exists() and not is_record(record):
            raise _not_ours(record)


def require_cache(path: Path) -> None:
    """Refuse to replace a file that is no cache; one of another version may go.

    Raises:
        CacheError: it is something else, or part of a cache.
    """
    if not path.exists():
        return
    found = layout.read_origin(path)
    if found is None:
        raise _not_ours(path)
    if found[1]:
        raise CacheError(
            f"{path}: this is part {found[1]} of a cache; give the file that all parts belong to"
        )


def discard(path: Path) -> None:
    """Leave nothing of attempts at a cache, of one file or of several, or at a part of one."""
    part = rf"{re.escape(path.stem)}(\.\d+of\d+)?{re.escape(path.suffix)}"
    attempt = re.compile(rf"{part}\.(partial|progress)")
    half_written = re.compile(rf"\.{part}\.(partial|progress)\.\d+\.[0-9a-f]{{8}}\.partial")
    for file in path.parent.iterdir():
        found = attempt.fullmatch(file.name)
        is_ours = {"partial": layout.is_cache, "progress": is_record}
        if half_written.fullmatch(file.name) or (found and is_ours[found[2]](file)):
            file.unlink(missing_ok=True)


def _is_of(index: tuple[str, int] | None, part: tuple[str, int] | None) -> bool:
    """Whether a part is one of the cache of several files that an index names."""
    return bool(index and part and index[0] and index[0] == part[0] and part[1])


def _not_ours(path: Path) -> CacheError:
    return CacheError(f"{path}: this file is not a tomodrgn cache and is left alone; {_ELSEWHERE}")
