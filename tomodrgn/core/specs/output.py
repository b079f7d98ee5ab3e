"""Where a command writes a run."""

from __future__ import annotations

from pathlib import Path

from tomodrgn.core.specs.base import Spec


class RunDirectorySpec(Spec):
    """A new run."""

    outdir: Path
    """Run directory."""


class PreparedSpec(Spec):
    """Prepared images of a run to come."""

    outdir: Path | None = None
    """Run directory that will use the cache; not needed with --cache."""
