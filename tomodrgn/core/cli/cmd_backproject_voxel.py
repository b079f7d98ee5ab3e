"""``tomodrgn backproject_voxel``: maps from images whose poses are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import (
    BACKPROJECT_DATA_OPTIONS,
    BACKPROJECT_OPTIONS,
    run_parameters,
    spec_parameters,
)
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.commands import resolve_reconstruction
from tomodrgn.core.specs.reconstruction import ReconstructionSpec

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(
    cls=SpecCommand,
    fields=[
        *run_parameters(BACKPROJECT_DATA_OPTIONS),
        *spec_parameters(ReconstructionSpec, BACKPROJECT_OPTIONS),
    ],
)
def backproject_voxel(layers: tuple[Layer, ...]) -> None:
    """Reconstruct maps from images whose poses are known.

    PARTICLES is the STAR file of the tilt images, or the set file. Writes the map, half maps, their
    FSC, and the map filtered at its resolution; with --labels, one map per class.
    """
    registry = installed_registry()
    spec, run = resolve_reconstruction(*layers, registry=registry)
    from tomodrgn.core.pipeline.reconstruct import reconstruct

    for path in reconstruct(spec, run, registry):
        click.echo(path)
