"""How to draw ways through latents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.output import PictureFormat
from tomodrgn.core.specs.quantities import Percentile


class PcTraversalSpec(Spec):
    """Latents along principal components."""

    latents: Path
    """Latents, z.pkl or z.N.pkl; .npy and .txt are read too."""
    outdir: Path
    """Folder for pc1.txt and so on."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    dim: PositiveInt | None = None
    """Component to follow, counted from 1; all by default."""
    n: Annotated[int, Field(ge=2)] = 10
    """Places along each component."""
    lim: tuple[Percentile, Percentile] = (5.0, 95.0)
    """Percentiles of the particles between which the places lie."""
    use_percentile_spacing: bool = False
    """Space places evenly in percentiles instead of values."""

    @model_validator(mode="after")
    def _limits_ascend(self) -> Self:
        if self.lim[0] >= self.lim[1]:
            raise ValueError(f"lim: {self.lim[0]:g} is not below {self.lim[1]:g}; swap them")
        return self


class GraphTraversalSpec(Spec):
    """Latents along a way from particle to particle, through neighbors."""

    latents: Path
    """Latents, z.pkl or z.N.pkl; .npy and .txt are read too."""
    anchors: tuple[NonNegativeInt, ...]
    """Particles to visit in this order, counted from 0 in the order of the latents."""
    outdir: Path
    """Folder for the way."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    max_neighbors: PositiveInt = 10
    """Neighbors to which a way may go on from each particle."""
    avg_neighbors: PositiveFloat | None = None
    """Neighbors left on average when the longest steps are ruled out; all by default."""
    plot_format: PictureFormat = "png"
    """Format of pictures."""

    @model_validator(mode="after")
    def _way_and_neighbors(self) -> Self:
        if len(self.anchors) < 2:  # noqa: PLR2004  a way has two ends
            raise ValueError("anchors: a way has two ends; give at least two particles")
        if self.avg_neighbors is not None and self.avg_neighbors > self.max_neighbors:
            raise ValueError(
                f"avg_neighbors: {self.avg_neighbors:g} is more than max_neighbors, "
                f"{self.max_neighbors}; lower it"
            )
        return self


PC_TRAVERSAL_OPTIONS: Final = (
    Classic("latents", "latents", needed=True),
    Classic("-o --outdir", "outdir", needed=True),
    Classic("--overwrite", "overwrite"),
    Classic("--dim", "dim"),
    Classic("-n", "n"),
    Classic("--lim", "lim"),
    Classic("--use-percentile-spacing", "use_percentile_spacing"),
)

GRAPH_TRAVERSAL_OPTIONS: Final = (
    Classic("latents", "latents", needed=True),
    Classic("--anchors", "anchors", needed=True),
    Classic("-o --outdir", "outdir", needed=True),
    Classic("--overwrite", "overwrite"),
    Classic("--max-neighbors", "max_neighbors"),
    Classic("--avg-neighbors", "avg_neighbors"),
    Classic("--plot-format", "plot_format"),
)
