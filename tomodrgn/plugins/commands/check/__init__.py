"""What is wrong with the input, before any training."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="check",
        help_order=20,
        summary="Say what is wrong with the input, before any training.",
        details="PARTICLES is the STAR file of the particles. The page that is printed, pictures "
        "and a map go to a folder. The exit code is 1 where something is wrong, 0 where it is not "
        "or cannot be decided.",
        takes="dataset",
        function="tomodrgn.plugins.commands.check.command:check",
        spec="tomodrgn.plugins.commands.check.spec:CheckSpec",
        options="tomodrgn.plugins.commands.check.spec:CHECK_OPTIONS",
        data_options="tomodrgn.plugins.commands.check.spec:CHECK_DATA_OPTIONS",
        base="tomodrgn.plugins.commands.run_specs:HOMOGENEOUS",
    ),
)
