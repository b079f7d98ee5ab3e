"""Which files of a run to remove."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic


class CleanupSpec(Spec):
    """Files of a run that are no longer needed."""

    run: Path
    """Run directory."""
    weights: bool = False
    """Remove weights of epochs (weights.N.pkl)."""
    zfiles: bool = False
    """Remove latents of epochs (z.N.pkl, z.N.train.pkl and z.N.test.pkl)."""
    volumes: bool = False
    """Remove volumes that can be made again: reconstruct.N.mrc, and numbered volumes (vol_000.mrc
    and so on) in any folder below."""
    test: bool = False
    """Only list what would be removed."""


CLEANUP_OPTIONS: Final = (
    Classic("run", "run", needed=True),
    Classic("--weights", "weights"),
    Classic("--zfiles", "zfiles"),
    Classic("--volumes", "volumes"),
    Classic("--test", "test"),
)
