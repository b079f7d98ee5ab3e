"""Which volumes to compare voxel by voxel, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic


class VolumeSpaceSpec(Spec):
    """A comparison of the volumes of a folder."""

    voldir: Path
    """Folder of volumes, vol_000.mrc and so on, as eval_vol writes them."""
    config: Path | None = None
    """Run directory, or its run.yaml or config.pkl. With one volume per particle of the run,
    classes are also shown by tomogram, images and metadata."""
    outdir: Path | None = None
    """Folder for what is found; by default VOLDIR_analyze_volumes."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    num_pcs: PositiveInt = 128
    """Most principal components."""
    ksample: Annotated[int, Field(ge=2)] | None = None
    """Number of clusters of k-means; none by default."""
    mask_path: Path | None = None
    """Mask (MRC): voxels above 0 are compared, times its values."""
    mask: Literal["none", "sphere", "tight", "soft"] = "none"
    """Mask without a file: a sphere, or the dense voxels of each volume, with hard or soft edge."""
    thresh: Annotated[float, Field(ge=0, le=100)] = 99.0
    """Percentile of the density of a volume above which its voxels are dense."""
    dilate: NonNegativeInt | None = None
    """Steps in px by which a soft mask grows; a thirtieth of the box by default."""
    dist: NonNegativeInt | None = None
    """Width in px of the edge of a soft mask; a thirtieth of the box by default."""
    skip_umap: bool = False
    """Leave UMAP out."""
    seed: NonNegativeInt = 42
    """Seed of UMAP and k-means."""
    plot_format: Literal["png", "svg", "svgz", "pdf"] = "png"
    """Format of the pictures."""

    @model_validator(mode="after")
    def _one_mask(self) -> Self:
        if self.mask_path is not None and self.mask != "none":
            raise ValueError(f"mask_path and mask {self.mask} are given; give one of them")
        return self


VOLUME_SPACE_OPTIONS: Final = (
    Classic("volume_folder", "voldir"),
    Classic("--voldir", "voldir", needed=True),
    Classic("-c --config", "config"),
    Classic("-o --outdir", "outdir"),
    Classic("--overwrite", "overwrite"),
    Classic("--num-pcs", "num_pcs"),
    Classic("--ksample", "ksample"),
    Classic("--mask-path", "mask_path"),
    Classic("--mask", "mask"),
    Classic("--thresh", "thresh"),
    Classic("--dilate", "dilate"),
    Classic("--dist", "dist"),
    Classic("--skip-umap", "skip_umap"),
    Classic("--seed", "seed"),
    Classic("--plot-format", "plot_format"),
)
