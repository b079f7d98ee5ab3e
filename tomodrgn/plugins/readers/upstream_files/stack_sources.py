"""Where stacks lie, as it tells sessions apart: folders above those of tomograms and jobs."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

_RELION_JOB: Final = re.compile(r"(?<![^/])job\d+(?=/)")
JOIN_BY_STACK: Final = "--join-by stack"
JOIN_BY_NAME: Final = "--join-by name"
FEWEST_IN_FOLDER: Final = 2
"""Particles of a tomogram in a folder; fewer where each particle has a folder of its own."""


def stack_source(folder: str, tomogram: str) -> str:
    """The part of a folder before the one of the tomogram, whichever job of RELION wrote it.

    Args:
        folder: of a stack, as a file writes it.
        tomogram: the name of its tomogram.
    """
    parts = _RELION_JOB.sub("job", folder + "/").strip("/").split("/")
    own = [place for place, part in enumerate(parts) if part in {tomogram, PurePath(tomogram).stem}]
    return "/".join(parts[: own[-1]] if own else parts)
