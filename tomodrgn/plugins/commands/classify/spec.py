"""How particles are sorted into classes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.output import RunDirectorySpec
from tomodrgn.core.specs.run_options import OUTDIR_OPTIONS


class ClassifySpec(RunDirectorySpec):
    """Classes of particles whose poses are known, with a map and half maps of each."""

    n_classes: Annotated[int, Field(ge=2)]
    """Number of classes."""
    start: Literal["linear", "random"] = "linear"
    """Where classes start: from the latents of a linear model, which is fitted first, or from
    random members, several times."""
    start_from: Path | None = None
    """Directory of a finished run of the same particles, whose latents classes start from."""

    @model_validator(mode="after")
    def _starts_once(self) -> Self:
        if self.start_from is not None and self.start == "random":
            raise ValueError("start is random and start_from names a run; give one of them")
        return self


CLASSIFY_OPTIONS: Final = (
    *OUTDIR_OPTIONS,
    Classic("-K --n-classes", "n_classes", needed=True),
    Classic("--start", "start"),
    Classic("--start-from", "start_from"),
)
