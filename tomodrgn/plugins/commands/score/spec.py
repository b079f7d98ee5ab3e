"""Which run to compare with what was simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import NonNegativeInt

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic


class ScoreSpec(Spec):
    """Compare a run on simulated tilt series with what was simulated."""

    run: Path
    """Run directory, of any command that trains, reconstructs or classifies."""
    truth: Path
    """Folder that simulate wrote."""
    volumes: Path | None = None
    """Folder of decoded vol_*.mrc (or class_*.mrc) to compare with the true maps; RUN/volumes by
    default, or the maps of classes in RUN."""
    out: Path | None = None
    """Folder for scores.json, the picture and the latent center of each class; the run directory
    by default."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    n_decoded: NonNegativeInt = 100
    """Particles, drawn at random, whose volumes are decoded and compared with their own true ones;
    0 for none, and no look at posteriors either."""


SCORE_OPTIONS: Final = (
    Classic("run", "run", needed=True),
    Classic("truth", "truth", needed=True),
    Classic("-o --out", "out"),
    Classic("--overwrite", "overwrite"),
    Classic("--volumes", "volumes"),
    Classic("--n-decoded", "n_decoded"),
)
