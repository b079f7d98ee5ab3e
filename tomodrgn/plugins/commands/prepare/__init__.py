"""Tilt images turned into a cache of coefficients, before training."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="prepare",
        help_order=40,
        summary="Turn tilt images into a cache of coefficients.",
        details="PARTICLES is the STAR file of the tilt images. Training does this too when there "
        "is no cache.",
        takes="dataset",
        function="tomodrgn.plugins.commands.prepare.command:prepare",
        spec="tomodrgn.plugins.commands.prepare.spec:PreparedSpec",
        options="tomodrgn.plugins.commands.prepare.spec:PREPARED_OPTIONS",
        data_options="tomodrgn.plugins.commands.prepare.spec:PREPARE_OPTIONS",
        base="tomodrgn.plugins.commands.run_specs:HOMOGENEOUS",
        rule="tomodrgn.plugins.commands.prepare.spec:require_place_of_cache",
    ),
)
