"""Maps from images whose poses are known."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="backproject_voxel",
        help_order=60,
        summary="Reconstruct maps from images whose poses are known.",
        details="PARTICLES is the STAR file of the tilt images, or the set file. Writes the map, "
        "half maps, their FSC, and the map filtered at its resolution; with --labels, one map per "
        "class.",
        takes="dataset",
        function="tomodrgn.plugins.commands.backproject.command:reconstruct",
        spec="tomodrgn.plugins.commands.backproject.spec:ReconstructionSpec",
        options="tomodrgn.plugins.commands.backproject.spec:BACKPROJECT_OPTIONS",
        data_options="tomodrgn.plugins.commands.backproject.spec:BACKPROJECT_DATA_OPTIONS",
        base="tomodrgn.plugins.commands.run_specs:HOMOGENEOUS",
    ),
)
