"""Do the classes differ? Classes held against the raw tilt images, without any network."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="validate",
        help_order=190,
        summary="Hold classes against the raw tilt images: do the classes differ?",
        details="RUN is the directory of a finished run. Writes half maps of each class straight "
        "from its images, their FSC, and whether the classes differ by more than chance.",
        takes="run",
        function="tomodrgn.plugins.commands.validate.command:validate",
        spec="tomodrgn.plugins.commands.validate.spec:ValidateSpec",
        options="tomodrgn.plugins.commands.validate.spec:VALIDATE_OPTIONS",
    ),
)
