"""What there is in the latents of a run: components, clusters, maps, volumes and pictures."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="analyze",
        help_order=150,
        summary="Look at the latents of a run: components, clusters, volumes and pictures.",
        details="RUN is the run directory of train_vae or train_linear, EPOCH the epoch to look "
        "at, counted from 0. Writes to RUN/analyze.<epoch>; a second call replaces the results of "
        "the first.",
        takes="run",
        function="tomodrgn.plugins.commands.analyze.command:analyze",
        spec="tomodrgn.plugins.commands.analyze.spec:AnalysisSpec",
        options="tomodrgn.plugins.commands.analyze.spec:ANALYSIS_OPTIONS",
    ),
)
