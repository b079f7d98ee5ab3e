"""Commands of the command line, drawn from the records that plugins offer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.cli.options import options_of, run_parameters, spec_parameters
from tomodrgn.core.cli.spec_command import SpecCommand, SpecParameter
from tomodrgn.core.commands import resolve
from tomodrgn.core.data.doing import do

if TYPE_CHECKING:
    from tomodrgn.core.command import Command
    from tomodrgn.core.specs.base import Spec
    from tomodrgn.core.specs.files import Layer


def click_command(record: Command) -> click.Command:
    """The command of a record."""
    if record.click:
        made: click.Command = record.load("click")
        return made

    def work(layers: tuple[Layer, ...], preset: str | None = None) -> None:
        below = () if preset is None else (record.load("presets")[preset],)
        registry = installed_registry()
        request = resolve(record, *below, *layers, registry=registry)
        show(do(request, registry), request.spec)

    return SpecCommand(
        record.name,
        callback=work,
        help="\n\n".join(part for part in (record.summary, record.details) if part),
        fields=_fields(record),
        params=[*_presets(record), *(record.load("extras") or ())],
    )


def show(found: Any, spec: Spec | None) -> None:
    """Print what came of a command; an object with an ``exit_code`` other than 0 ends with it."""
    if hasattr(found, "page"):
        if getattr(spec, "json_output", False):
            click.echo(json.dumps(found.as_json(), indent=1))
        else:
            click.echo(found.page(), nl=False)
    elif isinstance(found, (str, Path)):
        click.echo(found)
    elif isinstance(found, (list, tuple)):
        for item in found:
            click.echo(item)
    if code := getattr(found, "exit_code", 0):
        click.get_current_context().exit(code)


def _fields(record: Command) -> list[SpecParameter]:
    """Parameters that fill the run spec, then those of the command itself."""
    fields = run_parameters(record.load("data_options") or ())
    model = record.load("spec")
    if model is None:
        return fields
    table = record.load("options")
    own = options_of(model) if table is None else spec_parameters(model, table)
    return [*fields, *own]


def _presets(record: Command) -> list[click.Parameter]:
    presets = record.load("presets")
    if not presets:
        return []
    return [
        click.Option(
            ["--preset"],
            type=click.Choice(sorted(presets)),
            help="Named options to begin with, over which spec file and options win: tomodrgn2022 "
            "for those of that year, whatever later defaults are.",
        )
    ]
