"""Classic option names of the commands that look at latents, and the fields that they fill."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.run_options import DEVICE_OPTIONS

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
