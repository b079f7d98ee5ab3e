"""How the epochs of a run are compared: with each other, with held-out tilts, with known maps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

from tomodrgn.core.specs.base import Spec
from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.output import PictureFormat
from tomodrgn.core.specs.quantities import EvenInt, Percentile, PixelSizeA
from tomodrgn.core.specs.run_options import DEVICE_OPTIONS
from tomodrgn.core.specs.training import DevicesSpec

YesOrNo = Annotated[Literal["True", "False"], BeforeValidator(str)]
"""Written out, as in calls of 2022: ``--smooth False``."""


class MaskSpec(Spec):
    """Where volumes are compared."""

    mask: str = "soft"
    """Where volumes are compared: none (the whole box), sphere, tight (what is dense in either
    volume), soft (the same, grown and with a soft edge), or an MRC file."""
    thresh: Percentile = 99.0
    """Percentile of the voxels above which a volume is dense, for tight and soft masks."""
    dilate: NonNegativeInt | None = None
    """Pixels by which a soft mask grows; a thirtieth of the box by default."""
    dist: NonNegativeInt | None = None
    """Width in px of the edge of a soft mask; a thirtieth of the box by default."""


class ConvergenceNnSpec(MaskSpec):
    """Compare the volume of every epoch of a train_nn run with a known map."""

    run: Path
    """Run directory of train_nn."""
    reference: Path
    """Map to compare with (MRC), of the box and orientation of the run."""
    max_epoch: PositiveInt | None = None
    """Compare only epochs below this one; epochs count from 0."""
    include_dc: bool = False
    """Keep the shell of frequency 0."""
    outdir: Path | None = None
    """Folder for results; RUN/convergence.<number of epochs> by default."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    plot_format: PictureFormat = "png"
    """Format of pictures."""


class SketchSpec(Spec):
    """How representative groups of particles are found on a map of the last epoch."""

    n_bins: Annotated[int, Field(ge=3)] = 30
    """Bins along each axis of the map."""
    smooth: YesOrNo = "True"
    """Smooth the counts in the bins before maxima are looked for."""
    smooth_width: PositiveFloat = 1.0
    """Standard deviation of the smoothing, in bins."""
    pruned_maxima: PositiveInt = 12
    """Number of maxima up to which close ones are kept."""
    radius: NonNegativeFloat = 5.0
    """Distance in bins below which the lower of two maxima is dropped."""
    final_maxima: PositiveInt = 10
    """Most maxima to follow, the highest ones."""


class ConvergenceVaeSpec(SketchSpec, MaskSpec):
    """Compare the epochs of a run with latents, and recommend one."""

    run: Path
    """Run directory of train_vae."""
    epoch: NonNegativeInt | Literal["latest"] = "latest"
    """Last epoch to look at, counted from 0; latest is the last with weights and latents."""
    outdir: Path | None = None
    """Folder for results; RUN/convergence.<epoch> by default."""
    overwrite: bool = False
    """Replace files of the same names that exist; the inputs of the call are never replaced."""
    epoch_interval: PositiveInt = 5
    """Epochs between those that are decoded and drawn."""
    subset: PositiveInt | Literal["None"] = 50000
    """Most particles on maps of latents (UMAP); None for all."""
    random_seed: NonNegativeInt | None = None
    """Seed with which these particles are drawn; that of the run by default."""
    random_state: NonNegativeInt = 42
    """Seed of UMAP."""
    skip_umap: bool = False
    """Use the first two principal components instead of UMAP."""
    n_epochs_umap: PositiveInt | None = None
    """Optimization epochs of UMAP; its own choice by default."""
    force_umap_cpu: bool = False
    """Accepted for calls of 2022; UMAP always runs on the CPU."""
    skip_volgen: bool = False
    """Decode no volumes; those of an earlier call are compared where they are complete."""
    ground_truth: tuple[str, ...] | None = None
    """Known maps (MRC) to compare with, as paths or patterns such as 'maps/*.mrc'."""
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
    max_threads: PositiveInt = 8
    """Threads that compare volumes."""
    plot_format: PictureFormat = "png"
    """Format of pictures."""
    devices: DevicesSpec = DevicesSpec()
    """Where volumes are decoded."""


MASK_OPTIONS: Final = (
    Classic("--thresh", "thresh"),
    Classic("--dilate", "dilate"),
    Classic("--dist", "dist"),
    Classic("--plot-format", "plot_format"),
)

CONVERGENCE_NN_OPTIONS: Final = (
    Classic("run", "run", needed=True),
    Classic("reference", "reference", needed=True),
    Classic("-o --outdir", "outdir"),
    Classic("--overwrite", "overwrite"),
    Classic("--max-epoch", "max_epoch"),
    Classic("--include-dc", "include_dc"),
    Classic("--fsc-mask --mask", "mask"),
    *MASK_OPTIONS,
)

CONVERGENCE_VAE_OPTIONS: Final = (
    Classic("run", "run", needed=True),
    Classic("epoch_file", "epoch"),
    Classic("--epoch", "epoch"),
    Classic("-o --outdir", "outdir"),
    Classic("--overwrite", "overwrite"),
    Classic("--epoch-interval", "epoch_interval"),
    Classic("--subset", "subset"),
    Classic("--random-seed", "random_seed"),
    Classic("--random-state", "random_state"),
    Classic("--skip-umap", "skip_umap"),
    Classic("--n-epochs-umap", "n_epochs_umap"),
    Classic("--force-umap-cpu", "force_umap_cpu"),
    Classic("--n-bins", "n_bins"),
    Classic("--smooth", "smooth"),
    Classic("--smooth-width", "smooth_width"),
    Classic("--pruned-maxima", "pruned_maxima"),
    Classic("--radius", "radius"),
    Classic("--final-maxima", "final_maxima"),
    Classic("--flip", "flip"),
    Classic("--invert", "invert"),
    Classic("-d --downsample", "downsample"),
    Classic("--lowpass", "lowpass_a"),
    Classic("--Apix", "pixel_size_a"),
    Classic("--skip-volgen", "skip_volgen"),
    Classic("--ground-truth", "ground_truth"),
    Classic("--mask", "mask"),
    *MASK_OPTIONS,
    Classic("--max-threads", "max_threads"),
    Classic("--cuda", "devices.accelerator", constant="gpu"),
    *DEVICE_OPTIONS,
)
