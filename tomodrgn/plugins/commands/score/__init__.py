"""A run on simulated series beside the truth."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="score",
        help_order=240,
        summary="Compare a run on simulated series with the truth.",
        details="Give the run directory and the folder that simulate wrote. Classes, motions, "
        "volumes and posteriors are scored as far as the run has them.",
        takes="inputs",
        function="tomodrgn.plugins.commands.score.command:score",
        spec="tomodrgn.plugins.commands.score.spec:ScoreSpec",
        options="tomodrgn.plugins.commands.score.spec:SCORE_OPTIONS",
    ),
)
