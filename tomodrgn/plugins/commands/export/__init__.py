"""Results of a finished run for another program, written by an exporter."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="export",
        help_order=230,
        summary="Write results of a finished run for another program.",
        details="Give the run directory and the name of an exporter; its own options go after "
        "--set, such as --set options.labels=labels.pkl.",
        takes="run",
        function="tomodrgn.plugins.commands.export.command:export",
        spec="tomodrgn.plugins.commands.export.spec:ExportSpec",
        options="tomodrgn.plugins.commands.export.spec:EXPORT_OPTIONS",
    ),
)
