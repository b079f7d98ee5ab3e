"""Where prepared images go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tomodrgn.core.errors import SpecError
from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.run_options import DEVICE_OPTIONS, RUN_OPTIONS

if TYPE_CHECKING:
    from tomodrgn.core.specs.run import RunSpecBase


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


def require_place_of_cache(run: RunSpecBase, spec: Spec | None) -> None:
    """Refuse to prepare a cache for which nobody names a place.

    Raises:
        SpecError: neither a run directory nor a file is given.
    """
    if spec is not None and getattr(spec, "outdir", None) is None and run.cache.path is None:
        raise SpecError("outdir is missing: give the run directory (-o) or the file (--cache)")
