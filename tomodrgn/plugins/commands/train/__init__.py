"""Models of particles, from a data set to a run directory: networks, and the linear model."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="train_vae",
        help_order=70,
        summary="Train a model of heterogeneous particles.",
        details="PARTICLES is the STAR file of the tilt images. The run directory receives the "
        "resolved spec, weights, latents and the log.",
        takes="dataset",
        function="tomodrgn.plugins.commands.train.vae:train_vae",
        spec="tomodrgn.core.specs.output:RunDirectorySpec",
        options="tomodrgn.core.specs.run_options:OUTDIR_OPTIONS",
        data_options="tomodrgn.core.specs.run_options:TRAIN_VAE_OPTIONS",
        base="tomodrgn.plugins.commands.run_specs:heterogeneous",
        rule="tomodrgn.plugins.commands.run_specs:require_latents",
        presets="tomodrgn.core.specs.presets:HETEROGENEOUS",
    ),
    Command(
        name="train_linear",
        help_order=80,
        summary="Fit a linear model of heterogeneous particles, in seconds.",
        details="PARTICLES is the STAR file of the tilt images, or the set file. The run "
        "directory receives the consensus map, a basis map per latent dimension, and the latents "
        "with their covariances.",
        takes="dataset",
        function="tomodrgn.plugins.commands.train.linear:train_linear",
        spec="tomodrgn.core.specs.output:RunDirectorySpec",
        options="tomodrgn.core.specs.run_options:OUTDIR_OPTIONS",
        data_options="tomodrgn.plugins.commands.train.options:TRAIN_LINEAR_OPTIONS",
        base="tomodrgn.plugins.commands.run_specs:LINEAR",
        rule="tomodrgn.plugins.commands.run_specs:require_linear",
    ),
    Command(
        name="train_nn",
        help_order=100,
        summary="Train a model of one structure.",
        details="PARTICLES is the STAR file of the tilt images. The run directory receives the "
        "resolved spec, weights, volumes and the log.",
        takes="dataset",
        function="tomodrgn.plugins.commands.train.command:train",
        spec="tomodrgn.core.specs.output:RunDirectorySpec",
        options="tomodrgn.core.specs.run_options:OUTDIR_OPTIONS",
        data_options="tomodrgn.plugins.commands.train.options:TRAIN_NN_OPTIONS",
        base="tomodrgn.plugins.commands.run_specs:HOMOGENEOUS",
        rule="tomodrgn.plugins.commands.run_specs:require_one_structure",
        presets="tomodrgn.core.specs.presets:HOMOGENEOUS",
    ),
)
