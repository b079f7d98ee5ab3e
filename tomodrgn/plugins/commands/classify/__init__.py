"""Particles sorted into classes, each with a map."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="classify",
        help_order=90,
        summary="Sort particles into classes, each with a map.",
        details="PARTICLES is the STAR file of the tilt images, or the set file. The run "
        "directory receives the label and the class probabilities of every particle, and maps and "
        "half maps of each class.",
        takes="dataset",
        function="tomodrgn.plugins.commands.classify.command:classify",
        spec="tomodrgn.plugins.commands.classify.spec:ClassifySpec",
        options="tomodrgn.plugins.commands.classify.spec:CLASSIFY_OPTIONS",
        data_options="tomodrgn.core.specs.run_options:LINEAR_DATA_OPTIONS",
        base="tomodrgn.plugins.commands.run_specs:LINEAR",
        rule="tomodrgn.plugins.commands.run_specs:require_classes",
    ),
)
