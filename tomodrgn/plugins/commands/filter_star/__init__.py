"""Part of a particles file, written as it stands in the file."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="filter_star",
        help_order=210,
        summary="Keep some particles or images of a STAR file.",
        details="Give --ind, --labels with --labels-sel, --min-tilts, or --tomogram. Rows that "
        "stay are not changed in any byte; of an optimisation set, all its files are written "
        "together.",
        takes="inputs",
        function="tomodrgn.plugins.commands.filter_star.command:filter_star",
        spec="tomodrgn.plugins.commands.filter_star.spec:FilterSpec",
        options="tomodrgn.plugins.commands.filter_star.spec:FILTER_OPTIONS",
    ),
)
