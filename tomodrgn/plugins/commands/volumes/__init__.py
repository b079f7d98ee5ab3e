"""Volumes compared voxel by voxel, without any latent."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="analyze_volumes",
        help_order=180,
        summary="Compare decoded volumes voxel by voxel.",
        details="VOLDIR is a folder of volumes, such as one per particle. Writes principal "
        "components, volumes along them, clusters, and pictures.",
        takes="inputs",
        function="tomodrgn.plugins.commands.volumes.command:analyze_volumes",
        spec="tomodrgn.plugins.commands.volumes.spec:VolumeSpaceSpec",
        options="tomodrgn.plugins.commands.volumes.spec:VOLUME_SPACE_OPTIONS",
    ),
)
