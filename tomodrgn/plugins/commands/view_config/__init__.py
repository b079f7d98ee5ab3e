"""What a run was told."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="view_config",
        help_order=250,
        summary="Show what a run was told.",
        details="RUN is a run directory; name its config.pkl to see that file.",
        function="tomodrgn.plugins.commands.view_config.command:view_config",
        spec="tomodrgn.plugins.commands.view_config.spec:ViewSpec",
        options="tomodrgn.plugins.commands.view_config.spec:VIEW_OPTIONS",
    ),
)
