"""Which paths in a spec are read, and which are written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTPUTS: Final = frozenset({"out", "out_z", "outdir", "cache.path"})
"""Places in specs that say where to write; every other path is read."""


def input_paths(spec: BaseModel, section: str = "") -> Iterator[tuple[str, Path]]:
    """Every path in a spec that is read, with its place."""
    for name in type(spec).model_fields:
        place = f"{section}{name}"
        value = getattr(spec, name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Path) and place not in OUTPUTS:
                yield place, item
            elif isinstance(item, BaseModel):
                yield from input_paths(item, f"{place}.")
