"""Poses refined against the tilt images, and written back."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="refine_poses",
        help_order=65,
        summary="Refine poses and contrast of particles, and write them back.",
        details="PARTICLES is the STAR file of the tilt images, or the set file. The folder "
        "receives the input with refined poses, in its own format, and the corrections with what "
        "is not known of them.",
        takes="dataset",
        function="tomodrgn.plugins.commands.refine_poses.command:refine_poses",
        spec="tomodrgn.plugins.commands.refine_poses.spec:PosesSpec",
        options="tomodrgn.plugins.commands.refine_poses.spec:POSES_OPTIONS",
        data_options="tomodrgn.plugins.commands.refine_poses.spec:POSES_DATA_OPTIONS",
        base="tomodrgn.plugins.commands.run_specs:LINEAR",
        rule="tomodrgn.plugins.commands.run_specs:require_classes",
    ),
)
