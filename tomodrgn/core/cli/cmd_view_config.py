"""``tomodrgn view_config``: what a run was told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
import yaml

from tomodrgn.core.cli.options import spec_parameters
from tomodrgn.core.cli.result_options import VIEW_OPTIONS
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.specs.cleanup import ViewSpec
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer


@click.command(cls=SpecCommand, fields=spec_parameters(ViewSpec, VIEW_OPTIONS))
def view_config(layers: tuple[Layer, ...]) -> None:
    """Show what a run was told.

    RUN is a run directory; name its config.pkl to see that file.
    """
    spec = validate(ViewSpec, merge(*layers))
    from tomodrgn.core.pipeline.view_config import view_config as view

    found = view(spec)
    if spec.json_output:
        click.echo(json.dumps(found, indent=1))
    else:
        click.echo(yaml.safe_dump(found, sort_keys=False, allow_unicode=True), nl=False)
