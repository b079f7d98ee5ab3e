"""What explains the latent besides structure, such as tomogram, defocus, dose or view."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="nuisance",
        help_order=200,
        summary="Say what explains the latent besides structure.",
        details="RUN is the directory of a finished run. Tomogram, defocus, dose, tilt count, "
        "view and contrast are tried, each against chance.",
        takes="run",
        function="tomodrgn.plugins.commands.confounds.command:nuisance",
        spec="tomodrgn.plugins.commands.confounds.spec:NuisanceSpec",
        options="tomodrgn.plugins.commands.confounds.spec:NUISANCE_OPTIONS",
    ),
)
