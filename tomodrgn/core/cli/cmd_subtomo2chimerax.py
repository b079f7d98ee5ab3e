"""``tomodrgn subtomo2chimerax``: particles back in their tomograms, for ChimeraX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import spec_parameters
from tomodrgn.core.cli.result_options import MAPBACK_OPTIONS
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge
from tomodrgn.core.specs.mapback import MapbackSpec

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(MapbackSpec, MAPBACK_OPTIONS))
def subtomo2chimerax(layers: tuple[Layer, ...]) -> None:
    """Draw particles in their tomograms, in ChimeraX.

    Takes a STAR file with coordinates and angles of particles (volume series or optimisation set),
    or the directory of a run trained on such. Open the scripts it writes in ChimeraX.
    """
    spec = validate(MapbackSpec, merge(*layers))
    from tomodrgn.core.pipeline.mapback import map_back

    for path in map_back(spec, installed_registry()):
        click.echo(path)
