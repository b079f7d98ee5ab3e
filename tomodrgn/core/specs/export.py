"""Which results of a run to write for another program, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from tomodrgn.core.specs.base import Spec


class ExportSpec(Spec):
    """Results of a finished run for another program."""

    run: Path
    """Run directory."""
    kind: str
    """Exporter; tomodrgn plugins list shows which are installed."""
    outdir: Path
    """Folder for the files that are written."""
    ind: Path | None = None
    """File of particle indices to export, of those that the run was trained on (order of first
    appearance in its input, 0-based; .pkl, .npy or .txt)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the exporter; tomodrgn plugins show exporters KIND lists them."""
