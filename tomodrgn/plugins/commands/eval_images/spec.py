"""Which trained encoder is to see which images, and where the latents go."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import PositiveInt, field_validator

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.run_options import DEVICE_OPTIONS, RUN_OPTIONS


class EmbeddingSpec(Spec):
    """Latents of particles from a trained encoder."""

    weights: Path
    """Weights of the model (weights.pkl or weights.N.pkl)."""
    config: Path | None = None
    """Run directory, or its run.yaml or config.pkl; by default beside the weights."""
    out_z: Path
    """File of the latents, ending in .pkl: mean, then log variance."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    batch_size: PositiveInt = 64
    """Particles encoded at once."""

    @property
    def run(self) -> Path:
        """Where the run lies."""
        if self.config is not None:
            return self.config
        return self.weights if self.weights.is_dir() else self.weights.parent

    @field_validator("out_z")
    @classmethod
    def _is_a_pickle(cls, path: Path) -> Path:
        if path.suffix != ".pkl":
            raise ValueError(f"is {path}; give a file name that ends in .pkl")
        return path


EMBEDDING_DATA_OPTIONS: Final = (
    *(
        row
        for row in RUN_OPTIONS
        if row.places.split(".")[0] in {"reader", "dataset", "image_state", "cache"}
        or row.places in {"contrast.invert_data", "preparation.downsample"}
    ),
    *DEVICE_OPTIONS,
)

EMBEDDING_OPTIONS: Final = (
    Classic("-w --weights", "weights", needed=True),
    Classic("-c --config", "config"),
    Classic("-o --out-z", "out_z", needed=True),
    Classic("--overwrite", "overwrite"),
    Classic("-b --batch-size", "batch_size"),
)
