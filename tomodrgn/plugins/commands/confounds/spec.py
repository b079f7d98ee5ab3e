"""Which run to ask what its latent is explained by."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import NonNegativeInt

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic


class NuisanceSpec(Spec):
    """A report of what explains the latent besides structure."""

    run: Path
    """Run directory."""
    outdir: Path | None = None
    """Folder for the table and the picture; by default RUN/nuisance."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    images: bool = True
    """Read an image of each particle looked at, for its contrast."""
    seed: NonNegativeInt = 0
    """Seed of the particles looked at and of the shuffles."""
    json_output: bool = False
    """Print the report as JSON."""


NUISANCE_OPTIONS: Final = (
    Classic("run", "run", needed=True),
    Classic("-o --outdir", "outdir"),
    Classic("--overwrite", "overwrite"),
    Classic("--no-images", "images", constant=False),
    Classic("--seed", "seed"),
    Classic("--json", "json_output"),
)
