"""Several commands in a row, from a pipeline file."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="run",
        help_order=270,
        summary="Run the steps of a pipeline file.",
        click="tomodrgn.plugins.commands.run.command:run",
    ),
)
