"""Which files of a run to remove."""

from __future__ import annotations

from pathlib import Path

from tomodrgn.core.specs.base import Spec


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


class ViewSpec(Spec):
    """What a run was told, to look at."""

    run: Path
    """Run directory, or its run.yaml or config.pkl."""
    json_output: bool = False
    """Print it as JSON."""
