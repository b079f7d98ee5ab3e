"""Where prepared images go."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.run_options import DEVICE_OPTIONS, RUN_OPTIONS


class PreparedSpec(Spec):
    """Prepared images of a run to come."""

    outdir: Path | None = None
    """Run directory that will use the cache; not needed with --cache."""


PREPARED_OPTIONS: Final = (Classic("-o --outdir", "outdir"),)

PREPARE_OPTIONS: Final = (
    *RUN_OPTIONS,
    Classic("--cache-files", "cache.files"),
    Classic("--processes", "cache.processes"),
    *DEVICE_OPTIONS,
)
