"""Tables of the documentation that are drawn from what is built in.

A page holds a table between ``<!-- table: NAME -->`` and ``<!-- end -->``. ``python -m
tests.docs.tables`` writes all of them anew; a test fails where one differs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from tests.docs.pages import pages
from tomodrgn.core.cli.fields import builtin_registry, field_of, option_help, run_field
from tomodrgn.core.cli.record_command import click_command
from tomodrgn.core.cli.spec_command import SpecArgument
from tomodrgn.core.command import Command
from tomodrgn.core.families import FAMILIES

_TABLE = re.compile(r"(<!-- table: (\w+(?: \w+)?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_PAGES = {"loss_weightings": "loss_weighting", "exporters": "exporter"}
_ARITY = {"one": "one", "optional": "one or none", "many": "any number"}


def parts() -> str:
    """Families with the parts that are built in."""
    rows = ["| family | a run has | built in |", "| --- | --- | --- |"]
    for family in FAMILIES:
        kinds = ", ".join(f"`{kind}`" for kind in builtin_registry().kinds(family.name))
        page = _PAGES.get(family.name, family.name)
        rows.append(f"| [`{family.name}`]({page}.md) | {_ARITY[family.arity]} | {kinds} |")
    return "\n".join(rows) + "\n"


def commands() -> str:
    """Every command with what it does, in the order of help."""
    rows = ["| command | |", "| --- | --- |"]
    for name, command in builtin_registry().commands.items():
        rows.append(f"| [`{name}`](commands/{name}.md) | {command.summary} |")
    return "\n".join(rows) + "\n"


def steps() -> str:
    """What each step of a pipeline file takes besides the fields of its own spec."""
    rows = ["| takes `particles` and the sections of a run spec | |", "| --- | --- |"]
    records = builtin_registry().commands.values()
    with_data = [f"`{each.name}`" for each in records if each.data_options]
    others = [f"`{each.name}`" for each in records if each.is_step and not each.data_options]
    rows += [f"| yes | {', '.join(with_data)} |", f"| no | {', '.join(others)} |"]
    return "\n".join(rows) + "\n"


def options(name: str) -> str:
    """Arguments and options of a command, as its help says them."""
    record = builtin_registry().commands[name]
    command = click_command(record)
    context = click.Context(command, info_name=name)
    rows = ["| option | what it does |", "| --- | --- |"]
    for parameter in command.get_params(context):
        names, help_text = parameter.get_help_record(context) or ("", "")
        if isinstance(parameter, SpecArgument):
            names = parameter.make_metavar(context).strip("[]")
            help_text = _meaning(record, parameter)
        if names not in {"", "--help"}:
            rows.append(f"| `{_cell(names)}` | {_cell(help_text)} |")
    return "\n".join(rows) + "\n"


def _meaning(record: Command, argument: SpecArgument) -> str:
    """What an argument fills, which help says in its first lines."""
    place, model = argument.places[0], record.load("spec")
    is_own = model is not None and place in model.model_fields
    return option_help(place, field_of(model, place) if is_own else run_field(place))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


TABLES: dict[str, Callable[[], str]] = {
    "parts": parts,
    "commands": commands,
    "steps": steps,
    **{
        f"options {name}": partial(options, name)
        for name, command in builtin_registry().commands.items()
        if command.is_step
    },
}


def rendered(text: str) -> str:
    """A page with its tables as they should be."""
    return _TABLE.sub(lambda found: found[1] + TABLES[found[2]]() + found[4], text)


def tables_of(page: Path) -> list[str]:
    """Names of the tables on a page."""
    return [found[1] for found in _TABLE.findall(page.read_text())]


if __name__ == "__main__":
    for path in pages():
        path.write_text(rendered(path.read_text()))
