"""Classic option names of the commands that compare epochs, and the fields that they fill."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.run_options import DEVICE_OPTIONS

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
