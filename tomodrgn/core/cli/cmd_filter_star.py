"""``tomodrgn filter_star``: part of a particles file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import FILTER_OPTIONS, spec_parameters
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge
from tomodrgn.core.specs.filter import FilterSpec

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(FilterSpec, FILTER_OPTIONS))
def filter_star(layers: tuple[Layer, ...]) -> None:
    """Keep some particles or images of a STAR file.

    Give --ind, --labels with --labels-sel, --min-tilts, or --tomogram. Rows that stay are not
    changed in any byte; of an optimisation set, all its files are written together.
    """
    spec = validate(FilterSpec, merge(*layers))
    from tomodrgn.core.pipeline.filter import filter_star as filter_particles

    for path in filter_particles(spec, installed_registry()):
        click.echo(path)
