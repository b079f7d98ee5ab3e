"""Files that a run spec names, found again from any folder, also after the run was moved.

A path that was typed relative to a folder of then is tried relative to where the run directory is
now, as all of a project may have moved; where it was then; and as typed. One that was typed in full
is tried as typed, then relative to the run directory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tomodrgn.core.specs.run import RunSpecBase


@dataclass(frozen=True, slots=True)
class RunOrigin:
    """Where a run is, and where it was made.

    Attributes:
        directory: the run directory now.
        made_in: the run directory as it was called when the run was made; None if not recorded.
        started_in: the folder that relative paths of its spec started from; None if not recorded.
    """

    directory: Path
    made_in: Path | None = None
    started_in: Path | None = None


def found_paths(run: RunSpecBase, origin: RunOrigin) -> RunSpecBase:
    """The spec with each path that can be found in another place than it says replaced."""
    found: RunSpecBase = _replaced(run, origin)
    return found


def find_path(path: Path, origin: RunOrigin) -> Path:
    """Where a file of a run spec is; as it was typed where that is the same or it is nowhere."""
    found = next((place for place in _candidates(path, origin) if place.exists()), path)
    return path if found.resolve() == path.resolve() else found


def _candidates(path: Path, origin: RunOrigin) -> Iterator[Path]:
    if origin.started_in is None or origin.made_in is None:
        return
    then = origin.started_in / path
    beside = origin.directory / os.path.relpath(then, origin.made_in)
    normal = Path(os.path.normpath(beside))
    yield from (path, normal) if path.is_absolute() else (normal, then, path)


def _replaced(value: Any, origin: RunOrigin) -> Any:
    if isinstance(value, Path):
        return find_path(value, origin)
    if isinstance(value, tuple):
        return tuple(_replaced(item, origin) for item in value)
    if not isinstance(value, BaseModel):
        return value
    changed = {}
    for name in type(value).model_fields:
        before = getattr(value, name)
        after = _replaced(before, origin)
        if after is not before and after != before:
            changed[name] = after
    return value.model_copy(update=changed) if changed else value
