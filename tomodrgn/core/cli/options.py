"""Options of commands: click parameters from tables of classic names and the fields they fill.

Help, type, default and bounds of an option come from its field; nothing is written twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomodrgn.core.cli.fields import (
    click_form,
    field_of,
    flag_help,
    option_help,
    run_field,
)
from tomodrgn.core.cli.spec_command import SpecArgument, SpecOption, SpecParameter, WordsOr
from tomodrgn.core.specs.classic import Classic, is_flag, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo


def run_parameters(table: Iterable[Classic]) -> list[SpecParameter]:
    """Click parameters that fill a run spec."""
    return [_parameter(row, run_field(row.places.split()[0])) for row in table]


def spec_parameters(model: type[BaseModel], table: Iterable[Classic]) -> list[SpecParameter]:
    """Click parameters that fill ``model``."""
    return [_parameter(row, field_of(model, row.places)) for row in table]


def options_of(model: type[BaseModel]) -> list[SpecParameter]:
    """One option per field of ``model``, called like the field; ``-o`` is the output folder."""
    return spec_parameters(model, rows_of(model))


def _parameter(row: Classic, field: FieldInfo | None) -> SpecParameter:
    names = row.names.split()
    places = tuple(row.places.split())
    if not names[0].startswith("-"):
        metavar = f"[{names[0].removesuffix('_file').upper()}]"
        form = click_form(places[0], field)
        return SpecArgument(
            names, places=places, needed=row.needed, required=False, type=form.type, metavar=metavar
        )
    if row.constant is not None or is_flag(field):
        constant = True if row.constant is None else row.constant
        text = flag_help(places[0], constant, field)
        return SpecOption(names, places=places, constant=constant, is_flag=True, help=text)
    form = click_form(places[0], field)
    return SpecOption(
        names,
        places=places,
        needed=row.needed,
        help=option_help(places[0], field),
        type=WordsOr(form.type, dict(row.words)) if row.words else form.type,
        nargs=form.nargs,
        multiple=form.multiple,
        metavar="|".join([form.metavar, *(word for word, _ in row.words)]),
    )
