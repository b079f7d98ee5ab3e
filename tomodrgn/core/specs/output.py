"""Where a command writes a run, and as what it draws."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tomodrgn.core.specs.base import Spec

PictureFormat = Literal["png", "svgz"]


class RunDirectorySpec(Spec):
    """A new run."""

    outdir: Path
    """Run directory."""
