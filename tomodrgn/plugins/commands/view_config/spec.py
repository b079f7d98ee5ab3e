"""Which run to show what it was told."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic


class ViewSpec(Spec):
    """What a run was told, to look at."""

    run: Path
    """Run directory, or its run.yaml or config.pkl."""
    json_output: bool = False
    """Print it as JSON."""


VIEW_OPTIONS: Final = (
    Classic("run", "run", needed=True),
    Classic("--json", "json_output"),
)
