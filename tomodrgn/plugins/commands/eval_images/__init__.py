"""Latents of particles, also of those that a run has never seen."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="eval_images",
        help_order=140,
        summary="Encode particles with a trained model.",
        details="PARTICLES is a STAR file of tilt images, of the run or of others extracted "
        "alike. Writes the latents, and beside them a STAR file of the particles in their order.",
        takes="run",
        function="tomodrgn.plugins.commands.eval_images.command:evaluate_images",
        spec="tomodrgn.plugins.commands.eval_images.spec:EmbeddingSpec",
        options="tomodrgn.plugins.commands.eval_images.spec:EMBEDDING_OPTIONS",
        data_options="tomodrgn.plugins.commands.eval_images.spec:EMBEDDING_DATA_OPTIONS",
    ),
)
