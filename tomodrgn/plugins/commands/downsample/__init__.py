"""Images, particles or a volume on fewer pixels."""

from __future__ import annotations

from typing import Final

from tomodrgn.core.command import Command

COMMANDS: Final = (
    Command(
        name="downsample",
        help_order=30,
        summary="Put images, particles or a volume on fewer pixels.",
        details="PARTICLES is a STAR file of particles, a .mrcs stack, a .txt list of stacks or a "
        ".mrc volume. To train on smaller images no new files are needed: give --downsample to "
        "the training.",
        takes="inputs",
        function="tomodrgn.plugins.commands.downsample.command:downsample",
        spec="tomodrgn.plugins.commands.downsample.spec:DownsampleSpec",
        options="tomodrgn.plugins.commands.downsample.spec:DOWNSAMPLE_OPTIONS",
    ),
)
