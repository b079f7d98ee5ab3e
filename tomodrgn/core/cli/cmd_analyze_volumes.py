"""``tomodrgn analyze_volumes``: compare decoded volumes voxel by voxel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import spec_parameters
from tomodrgn.core.cli.result_options import VOLUME_SPACE_OPTIONS
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge
from tomodrgn.core.specs.volume_space import VolumeSpaceSpec

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(VolumeSpaceSpec, VOLUME_SPACE_OPTIONS))
def analyze_volumes(layers: tuple[Layer, ...]) -> None:
    """Compare decoded volumes voxel by voxel.

    VOLDIR is a folder of volumes, such as one per particle. Writes principal components, volumes
    along them, clusters, and pictures.
    """
    spec = validate(VolumeSpaceSpec, merge(*layers))
    from tomodrgn.core.pipeline.analyze_volumes import analyze_volumes as analyze

    click.echo(analyze(spec, installed_registry()))
