"""``tomodrgn export``: results of a run for another program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import spec_parameters
from tomodrgn.core.cli.result_options import EXPORT_OPTIONS
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.export import ExportSpec
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(ExportSpec, EXPORT_OPTIONS))
def export(layers: tuple[Layer, ...]) -> None:
    """Write results of a finished run for another program.

    Give the run directory and the name of an exporter; its own options go after --set, such as
    --set options.labels=labels.pkl.
    """
    spec = validate(ExportSpec, merge(*layers))
    from tomodrgn.core.pipeline.export import export as export_run

    for path in export_run(spec, installed_registry()):
        click.echo(path)
