"""Making room: files of a run that are no longer needed."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="cleanup",
        help_order=260,
        summary="Remove files of a run that are no longer needed.",
        details="RUN is a run directory. Final results, and epochs with a folder such as "
        "analyze.19, are kept.",
        function="tomodrgn.plugins.commands.cleanup.command:cleanup",
        spec="tomodrgn.plugins.commands.cleanup.spec:CleanupSpec",
        options="tomodrgn.plugins.commands.cleanup.spec:CLEANUP_OPTIONS",
    ),
)
