"""What to look for in the latents of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.output import PictureFormat
from tomodrgn.core.specs.quantities import EvenInt, PixelSizeA
from tomodrgn.core.specs.run_options import DEVICE_OPTIONS
from tomodrgn.core.specs.training import DevicesSpec

SeveralClusters = Annotated[int, Field(ge=2)]


class AnalysisSpec(Spec):
    """An analysis of the latents of a run."""

    run: Path
    """Run directory of train_vae or train_linear."""
    epoch: Annotated[int, Field(ge=-1)] | Literal["latest", "recommended"] = "latest"
    """Epoch to analyze, counted from 0; latest is the last with weights and latents, recommended
    the one that held-out tilts favor, -1 the end of the run."""
    outdir: Path | None = None
    """Folder for results; RUN/analyze.<epoch> by default, RUN/analyze for epoch -1."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    pc: NonNegativeInt = 2
    """Principal components along which volumes are decoded."""
    pc_ondata: bool = False
    """Decode the particles nearest to the places along a component instead of these places."""
    ksample: SeveralClusters = 20
    """Clusters of k-means."""
    gmm_k: SeveralClusters | None = None
    """Components of a Gaussian mixture that is fitted too; none by default."""
    skip_vol: bool = False
    """Decode no volumes."""
    skip_umap: bool = False
    """Leave UMAP out."""
    umap_subset: PositiveInt = 50000
    """Most particles that UMAP places itself; each other goes where the nearest of these is."""
    seed: NonNegativeInt = 0
    """Seed of clusters, UMAP, and the images that are shown."""
    flip: bool = False
    """Mirror volumes along z about their center, which changes their handedness."""
    invert: bool = False
    """Multiply volumes by -1."""
    downsample: EvenInt | None = None
    """Box edge of the volumes in px, even; cropped in Fourier space."""
    lowpass_a: PositiveFloat | None = None
    """Resolution in angstrom to which volumes are low-pass filtered."""
    pixel_size_a: PixelSizeA | None = None
    """Pixel size in angstrom for the headers of volumes, instead of that of the run."""
    clusterings: tuple[Annotated[str, Field(pattern=r"^\w+=[1-9]\d*$")], ...] = ()
    """Clusterings of plugins, each with a number of clusters: NAME=K."""
    plot_format: PictureFormat = "png"
    """Format of pictures."""
    report: bool = True
    """Write a report that any browser opens."""
    device: NonNegativeInt | None = None
    """Accepted for older calls; volumes are decoded where --accelerator says."""
    devices: DevicesSpec = DevicesSpec()
    """Where volumes are decoded."""


ANALYSIS_OPTIONS: Final = (
    Classic("run", "run", needed=True),
    Classic("epoch_file", "epoch"),
    Classic("--epoch", "epoch"),
    Classic("-o --outdir", "outdir"),
    Classic("--pc", "pc"),
    Classic("--pc-ondata", "pc_ondata"),
    Classic("--ksample", "ksample"),
    Classic("--gmm-k", "gmm_k"),
    Classic("--clustering", "clusterings"),
    Classic("--skip-vol", "skip_vol"),
    Classic("--skip-umap", "skip_umap"),
    Classic("--umap-subset", "umap_subset"),
    Classic("--seed", "seed"),
    Classic("--flip", "flip"),
    Classic("--invert", "invert"),
    Classic("-d --downsample", "downsample"),
    Classic("--lowpass", "lowpass_a"),
    Classic("--Apix", "pixel_size_a"),
    Classic("--plot-format", "plot_format"),
    Classic("--no-report", "report", constant=False),
    Classic("--device", "device"),
    *DEVICE_OPTIONS,
)
