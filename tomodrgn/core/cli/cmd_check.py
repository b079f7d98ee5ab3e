"""``tomodrgn check``: what is wrong with the input, before any training."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import (
    CHECK_DATA_OPTIONS,
    CHECK_OPTIONS,
    run_parameters,
    spec_parameters,
)
from tomodrgn.core.cli.spec_command import SpecCommand
from tomodrgn.core.commands import resolve_run
from tomodrgn.core.specs.check import CheckSpec
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import merge

if TYPE_CHECKING:
    from tomodrgn.core.specs.files import Layer

_PARAMETERS = [*run_parameters(CHECK_DATA_OPTIONS), *spec_parameters(CheckSpec, CHECK_OPTIONS)]


@click.command(cls=SpecCommand, fields=_PARAMETERS)
@click.pass_context
def check(ctx: click.Context, layers: tuple[Layer, ...]) -> None:
    """Say what is wrong with the input, before any training.

    PARTICLES is the STAR file of the particles. The page that is printed, pictures and a map go to
    a folder. The exit code is 1 where something is wrong, 0 where it is not or cannot be decided.
    """
    registry = installed_registry()
    data = merge(*layers)
    own = {name: data.pop(name) for name in CheckSpec.model_fields if name in data}
    spec = validate(CheckSpec, own)
    run = resolve_run("prepare", data, registry=registry)
    from tomodrgn.core.inspection.page import page
    from tomodrgn.core.pipeline.check import check as check_input

    outcome = check_input(run, spec, registry)
    if spec.json_output:
        click.echo(json.dumps(outcome.as_json(), indent=1))
    else:
        click.echo(page(outcome), nl=False)
        click.echo(f"The report is in {spec.outdir}.")
    if outcome.result == "wrong":
        ctx.exit(1)
