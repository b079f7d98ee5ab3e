"""Which results of a run to write for another program, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pydantic import Field

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic


class ExportSpec(Spec):
    """Results of a finished run for another program."""

    run: Path
    """Run directory."""
    kind: str
    """Exporter; tomodrgn plugins list shows which are installed."""
    outdir: Path
    """Folder for the files that are written."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    ind: Path | None = None
    """File of particle indices to export, of those that the run was trained on (order of first
    appearance in its input, 0-based; .pkl, .npy or .txt)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the exporter; tomodrgn plugins show exporters KIND lists them."""


EXPORT_OPTIONS: Final = (
    Classic("run", "run", needed=True),
    Classic("kind", "kind", needed=True),
    Classic("-o --outdir", "outdir", needed=True),
    Classic("--overwrite", "overwrite"),
    Classic("--ind", "ind"),
)
