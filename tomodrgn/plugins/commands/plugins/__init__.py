"""What is installed, who provides it, and what is wrong with it."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="plugins",
        help_order=280,
        summary="Inspect installed plugins.",
        click="tomodrgn.plugins.commands.plugins.command:plugins",
    ),
)
