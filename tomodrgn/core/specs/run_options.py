"""Classic option names that fill a run spec, as commands that read a data set share them."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.specs.classic import Classic
from tomodrgn.core.specs.files import Added

RUN_OPTIONS: Final = (
    Classic("particles", "reader.path", needed=True),
    Classic("--datadir", "reader.datadir"),
    Classic("--join-by", "reader.join_by"),
    Classic("--Apix", "reader.pixel_size_a"),
    Classic("--tomograms", "reader.tomograms"),
    Classic("--defocus-sign", "reader.defocus_sign"),
    Classic("--no-trajectories", "reader.trajectories", constant=False),
    Classic("--ind", "dataset.ind"),
    Classic("--ind-imgs", "dataset.ind_imgs"),
    Classic("--max-dose", "dataset.max_dose_e_per_a2"),
    Classic("--max-tilt", "dataset.max_tilt_deg"),
    Classic("--sort-ptcl-imgs", "dataset.sort_ptcl_imgs"),
    Classic("--use-first-ntilts", "dataset.use_first_ntilts"),
    Classic("--min-tilts", "dataset.min_tilts"),
    Classic("--use-first-nptcls", "dataset.use_first_nptcls"),
    Classic("--dose-override", "dataset.dose_override"),
    Classic("--downsample", "preparation.downsample"),
    Classic("--no-window", "preparation.window", constant=False),
    Classic("--window-r", "preparation.window_r"),
    Classic("--window-r-outer", "preparation.window_r_outer"),
    Classic("--l-extent", "preparation.l_extent"),
    Classic("--normalize", "preparation.normalize"),
    Classic("--ctf-premultiplied", "image_state.ctf_premultiplied", constant=True),
    Classic("--not-ctf-premultiplied", "image_state.ctf_premultiplied", constant=False),
    Classic("--phase-flipped", "image_state.phase_flipped", constant=True),
    Classic("--not-phase-flipped", "image_state.phase_flipped", constant=False),
    Classic("--dose-weighted", "image_state.dose_weighted", constant=True),
    Classic("--not-dose-weighted", "image_state.dose_weighted", constant=False),
    Classic("--tilt-weighted", "image_state.tilt_weighted", constant=True),
    Classic("--not-tilt-weighted", "image_state.tilt_weighted", constant=False),
    Classic("--uninvert-data", "contrast.invert_data", constant=False),
    Classic("--invert-data", "contrast.invert_data", constant=True),
    Classic("--norm", "contrast.norm"),
    Classic("--cache", "cache.path"),
    Classic("--rebuild-cache", "cache.rebuild"),
    Classic("--residency", "cache.residency"),
    Classic("--lazy", "cache.residency", constant="stream"),
    Classic("--seed", "seed"),
)

DATA_OPTIONS: Final = tuple(
    row for row in RUN_OPTIONS if not row.places.startswith(("cache.", "contrast.norm"))
)
"""Those of commands that read images once, and need no cache."""

DEVICE_OPTIONS: Final = (
    Classic("--accelerator", "devices.accelerator"),
    Classic("--devices", "devices.devices"),
    Classic("--nodes", "devices.nodes"),
    Classic("--multigpu", "devices.multigpu"),
    Classic("--precision", "devices.precision"),
    Classic("--no-amp", "devices.precision", constant="float32"),
    Classic("--threads", "devices.threads"),
)

TRAIN_OPTIONS: Final = (
    *RUN_OPTIONS,
    Classic("-n --num-epochs", "training.num_epochs"),
    Classic("-b --batch-size", "training.batch_size"),
    Classic("--lr", "training.lr"),
    Classic("--lr-schedule", "training.lr_schedule"),
    Classic("--wd --weight-decay", "training.wd"),
    Classic("--sample-ntilts", "training.sample_ntilts"),
    Classic("--fraction-train", "dataset.fraction_train"),
    Classic("--refine-poses", "refinement.poses"),
    Classic("--recon-dose-weight", "loss_weightings", constant=Added([{"kind": "dose"}])),
    Classic("--recon-tilt-weight", "loss_weightings", constant=Added([{"kind": "tilt"}])),
    Classic("--l-dose-mask", "training.l_dose_mask"),
    Classic("--load", "training.load"),
    Classic("--checkpoint", "training.checkpoint"),
    Classic("--log-interval", "training.log_interval"),
    Classic("--overwrite", "training.overwrite"),
    Classic("-v --verbose", "training.verbose"),
    Classic("--no-report", "training.report", constant=False),
    *DEVICE_OPTIONS,
    Classic("--pe-type", "positional_encoding.kind"),
    Classic("--pe-dim", "positional_encoding.dim"),
    Classic("--feat-sigma", "positional_encoding.sigma"),
)

OUTDIR_OPTIONS: Final = (Classic("-o --outdir", "outdir", needed=True),)

LINEAR_DATA_OPTIONS: Final = (
    *RUN_OPTIONS,
    Classic("--refine-poses", "refinement.poses"),
    Classic("--outliers", "refinement.outliers"),
    Classic("--fraction-train", "dataset.fraction_train"),
    Classic("--overwrite", "training.overwrite"),
    Classic("-v --verbose", "training.verbose"),
    Classic("--no-report", "training.report", constant=False),
    Classic("--accelerator", "devices.accelerator"),
    Classic("--threads", "devices.threads"),
)

TRAIN_VAE_OPTIONS: Final = (
    *TRAIN_OPTIONS,
    Classic("--zdim", "latent.dim"),
    Classic("--beta", "latent.beta"),
    Classic("--beta-control", "latent.beta_control"),
    Classic("--init", "training.init"),
    Classic("--init-from", "training.init_from"),
    Classic("--outliers", "refinement.outliers"),
    Classic("--enc-layers-A", "encoder.layers_a"),
    Classic("--enc-dim-A", "encoder.dim_a"),
    Classic("--out-dim-A", "encoder.out_dim_a"),
    Classic("--pooling-function", "encoder.pooling"),
    Classic("--num-heads", "encoder.num_heads"),
    Classic("--layer-norm", "encoder.layer_norm"),
    Classic("--enc-layers-B", "encoder.layers_b"),
    Classic("--enc-dim-B", "encoder.dim_b"),
    Classic("--enc-mask", "encoder.mask_radius_px"),
    Classic("--dec-layers", "decoder.layers"),
    Classic("--dec-dim", "decoder.dim"),
    Classic("--activation", "encoder.activation decoder.activation"),
)
