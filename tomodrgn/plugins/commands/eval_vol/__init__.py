"""Volumes decoded from a trained model."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="eval_vol",
        help_order=130,
        summary="Decode volumes from a trained model.",
        details="Give the weights as an argument or with -w, and the latents with one of -z, "
        "--z-start and --z-end, or --zfile; a model of one structure takes none.",
        takes="run",
        function="tomodrgn.plugins.commands.eval_vol.command:evaluate_volumes",
        spec="tomodrgn.plugins.commands.eval_vol.spec:VolumesSpec",
        options="tomodrgn.plugins.commands.eval_vol.spec:VOLUME_OPTIONS",
        rule="tomodrgn.plugins.commands.eval_vol.spec:require_fitting_latents",
    ),
)
