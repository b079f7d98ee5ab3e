"""``tomodrgn downsample``: the same field of view on fewer pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import DOWNSAMPLE_OPTIONS, spec_parameters
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.downsample import DownsampleSpec
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(DownsampleSpec, DOWNSAMPLE_OPTIONS))
def downsample(layers: tuple[Layer, ...]) -> None:
    """Put images, particles or a volume on fewer pixels.

    PARTICLES is a STAR file of particles, a .mrcs stack, a .txt list of stacks or a .mrc volume.
    To train on smaller images no new files are needed: give --downsample to the training.
    """
    spec = validate(DownsampleSpec, merge(*layers))
    from tomodrgn.core.pipeline.downsample import downsample as downsample_files

    for path in downsample_files(spec, installed_registry()):
        click.echo(path)
