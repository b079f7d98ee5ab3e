"""``tomodrgn plugins``: what is installed, who provides it, and what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tomodrgn.core.cli.fields import type_name
from tomodrgn.core.cli.invocation import installed_registry
from tomodrgn.core.errors import PluginError
from tomodrgn.core.extension import Extension
from tomodrgn.core.families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tomodrgn.core.command import Command
    from tomodrgn.core.registry import Entry, Registry

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


@click.group()
def plugins() -> None:
    """Inspect installed plugins."""


@plugins.command("list")
@as_json_option
def list_(as_json: bool) -> None:
    """List components by family, with the package that provides each."""
    registry = installed_registry()
    rows = [
        {
            "family": family,
            "kind": entry.component.kind,
            "provided_by": entry.plugin.origin,
            "summary": entry.component.summary,
        }
        for family, entry in registry
    ]
    problems = list(_problems(registry))
    added = [
        {"point": each.point, "name": each.name, "summary": each.summary}
        for each in registry.extensions
    ]
    commands = [
        {"command": name, "summary": command.summary} for name, command in registry.commands.items()
    ]
    if as_json:
        listed = {"components": rows, "commands": commands, "extensions": added}
        click.echo(json.dumps({**listed, "problems": problems}, indent=2))
        return
    _print_table(rows)
    if added:
        click.echo()
        _print_table(added)
    _print_problems(problems)


@plugins.command("show")
@click.argument("family", type=click.Choice([family.name for family in FAMILIES]))
@click.argument("kind")
@as_json_option
def show(family: str, kind: str, as_json: bool) -> None:
    """Show a component and its options."""
    entry = installed_registry().entry(family, kind)
    options = [
        {
            "name": name,
            "type": type_name(field.annotation, field.metadata),
            "default": "required" if field.is_required() else field.default,
            "description": " ".join((field.description or "").split()),
        }
        for name, field in entry.component.spec.model_fields.items()
        if name != "kind"
    ]
    if as_json:
        shown = {**_summary(family, entry), "options": options}
        click.echo(json.dumps(shown, indent=2, default=str))
        return
    for name, value in _summary(family, entry).items():
        click.echo(f"{name}: {value}")
    if options:
        click.echo("options:")
        _print_table(options, indent="  ")


@plugins.command("check")
@as_json_option
def check(as_json: bool) -> None:
    """Import every component and report what is wrong; exit code 1 if anything is."""
    registry = installed_registry()
    problems = list(_problems(registry))
    count = sum(1 for _ in registry)
    if as_json:
        click.echo(json.dumps({"checked": count, "problems": problems}, indent=2))
    else:
        click.echo(f"{count} components checked, {len(problems)} problems")
        _print_problems(problems)
    if problems:
        raise click.exceptions.Exit(1)


def _problems(registry: Registry) -> Iterator[dict[str, str]]:
    """Plugins that were skipped, components that were left out, and what breaks the rules."""
    for info in registry.plugins.infos.values():
        if info.error:
            yield {"plugin": info.name, "package": info.origin, "reason": info.error}
    for fault in registry.faults:
        plugin = fault.plugin
        yield {"plugin": plugin.name, "package": plugin.origin, "reason": fault.reason}
    records: list[Command | Extension] = [*registry.commands.values(), *registry.extensions]
    for each in records:
        try:
            _load(each)
        except PluginError as error:
            yield {"plugin": each.name, "package": each.function, "reason": str(error)}
    for family, entry in registry:
        place = {"plugin": entry.plugin.name, "package": entry.plugin.origin}
        try:
            entry.component.load()
        except PluginError as error:
            yield {**place, "reason": f"{family}: {error}"}
        for name, field in entry.component.spec.model_fields.items():
            if name != "kind" and not field.description:
                where = f"{family} {entry.component.kind}"
                yield {**place, "reason": f"{where}: option {name} has no docstring"}


def _load(record: Command | Extension) -> None:
    if isinstance(record, Extension):
        record.load()
    elif record.click:
        record.load("click")
    else:
        record.load_function()


def _summary(family: str, entry: Entry) -> dict[str, Any]:
    plugin = asdict(entry.plugin)
    return {
        "family": family,
        "kind": entry.component.kind,
        "summary": entry.component.summary,
        "plugin": plugin["name"],
        "package": entry.plugin.origin,
        "factory": entry.component.factory,
    }


def _print_table(rows: Sequence[dict[str, Any]], indent: str = "") -> None:
    if not rows:
        return
    widths = {key: max(len(str(row[key])) for row in rows) for key in rows[0]}
    for row in rows:
        cells = "  ".join(str(row[key]).ljust(width) for key, width in widths.items())
        click.echo(f"{indent}{cells.rstrip()}")


def _print_problems(problems: Sequence[dict[str, str]]) -> None:
    for problem in problems:
        click.echo(
            f"problem in {problem['plugin']} ({problem['package']}): {problem['reason']}", err=True
        )
