"""Giving a cache whose coefficients are all there, and its parts, their names.

First all partial files are marked as finished, that of the cache itself last. From then on the new
cache is complete; what is left to do only moves and removes files, and is taken up by
:func:`complete` after a kill. The former cache goes in these last steps and not before.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from tomodrgn.core.cache import layout
from tomodrgn.core.cache.belongings import own_parts, part_paths
from tomodrgn.core.cache.job import partial_of, record_of
from tomodrgn.core.cache.seal import verify
from tomodrgn.core.errors import CacheError
from tomodrgn.core.files.atomic import flush_to_disk

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tomodrgn.core.cache.layout import GrayLevelsFound

logger = logging.getLogger(__name__)


def mark_finished(path: Path, rms: float, found: GrayLevelsFound | None = None) -> None:
    """Finish the partial file of a cache or of a part."""
    layout.finish(partial_of(path), rms, found)


def move_parts(parts: Iterable[Path]) -> None:
    """Give parts their names, where they do not have them yet."""
    for part in parts:
        if partial_of(part).exists():
            partial_of(part).replace(part)
            flush_to_disk(part.parent)


def put_in_place(path: Path) -> None:
    """Give a cache its name when its parts have theirs, and remove what it replaces."""
    parts = part_paths(partial_of(path), path)
    for file in (*parts, path):
        record_of(file).unlink(missing_ok=True)
    for former in set(own_parts(path)) - set(parts):
        former.unlink(missing_ok=True)
    partial_of(path).replace(path)
    flush_to_disk(path.parent)


def is_half_published(path: Path) -> bool:
    """Whether a process was killed after it had begun to replace the cache at ``path``."""
    if not partial_of(path).exists():
        return False
    header = _finished(partial_of(path))
    if header is None:
        return False
    if not header.build:
        return not record_of(path).exists()
    return any(
        _is_part(part, header, number)
        for number, part in enumerate(part_paths(partial_of(path), path), start=1)
    )


def complete(path: Path) -> None:
    """Do what is left to do after such a kill.

    Raises:
        CacheError: a part is gone.
    """
    header, parts = _finished(partial_of(path)), part_paths(partial_of(path), path)
    for number, part in enumerate(parts, start=1):
        if header is not None and not any(
            _is_part(file, header, number) for file in (partial_of(part), part)
        ):
            raise CacheError(
                f"{part}: this part of a cache that was just being replaced is gone; use "
                "--rebuild-cache to build it anew"
            )
    logger.info("%s: completing it, as the process that did so was killed", path)
    move_parts(parts)
    put_in_place(path)


def _finished(path: Path) -> layout.CacheHeader | None:
    """Header of a finished file; None where there is none."""
    try:
        verify(path)
        return layout.read_header(path)
    except CacheError:
        return None


def _is_part(path: Path, index: layout.CacheHeader, number: int) -> bool:
    """Whether a file is a finished part of a cache."""
    found = _finished(path)
    return found is not None and found == replace(index, part=number, n_images=found.n_images)
