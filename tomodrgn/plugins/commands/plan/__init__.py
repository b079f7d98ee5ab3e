"""The memory that a training run would take."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="plan",
        help_order=50,
        summary="Say how much memory train_vae would take, and train nothing.",
        details="PARTICLES is the STAR file of the tilt images; give the options that train_vae "
        "will be given. Nothing is written.",
        takes="dataset",
        function="tomodrgn.plugins.commands.plan.command:plan_run",
        data_options="tomodrgn.core.specs.run_options:TRAIN_VAE_OPTIONS",
        base="tomodrgn.plugins.commands.run_specs:heterogeneous",
        rule="tomodrgn.plugins.commands.run_specs:require_latents",
        presets="tomodrgn.core.specs.presets:HETEROGENEOUS",
    ),
)
