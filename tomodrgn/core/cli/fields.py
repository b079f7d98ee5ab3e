"""What Click needs to know about a field of a spec: type, bounds, number of values and help."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, Union
from typing import get_args as arguments_of
from typing import get_origin as origin_of

import click

from tomodrgn.core.families import FAMILIES
from tomodrgn.core.manager import load_plugins
from tomodrgn.core.registry import Registry
from tomodrgn.core.specs.classic import bare_type
from tomodrgn.core.specs.files import Added
from tomodrgn.core.specs.run import RunSpecBase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

PATH: Final = click.Path(path_type=Path)
"""A path that need not exist: whoever opens it says what is wrong with it."""


class _Label(click.ParamType[str]):
    """A number or a name; a word that names a STAR file is no label but the input after them."""

    name = "label"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word as it is."""
        if value.endswith(".star"):
            self.fail(f"{value} is a file; give numbers or names", param, ctx)
        return value


class ClickForm(NamedTuple):
    """How Click reads the values of an option."""

    type: Any
    nargs: int = 1
    multiple: bool = False
    metavar: str = ""


@cache
def builtin_registry() -> Registry:
    """The built-in components, whose fields the classic options fill."""
    return Registry(load_plugins(external=(), modules=()))


def run_field(place: str) -> FieldInfo | None:
    """Field at a dotted place of a run spec, or None where no built-in component has it."""
    section, _, name = place.partition(".")
    if section not in {family.name for family in FAMILIES}:
        return field_of(RunSpecBase, place)
    specs = [entry.component.spec for family, entry in builtin_registry() if family == section]
    return next((spec.model_fields[name] for spec in specs if name in spec.model_fields), None)


def field_of(model: type[BaseModel], place: str) -> FieldInfo:
    """Field at a dotted place of a model."""
    *sections, name = place.split(".")
    for section in sections:
        annotation = model.model_fields[section].annotation
        assert isinstance(annotation, type)  # noqa: S101  sections are models, for mypy
        model = annotation
    return model.model_fields[name]


def click_form(place: str, field: FieldInfo | None) -> ClickForm:
    """How Click reads the field at a place; the spec judges what Click cannot."""
    if place.endswith(".kind"):
        return ClickForm(click.STRING, metavar="KIND")
    if field is None:
        return ClickForm(click.STRING, metavar="VALUE")
    annotation, bounds = bare_type(field.annotation)
    if origin_of(annotation) is not tuple:
        scalar = _scalar(annotation, (*field.metadata, *bounds))
        return ClickForm(scalar, metavar=_metavar(scalar))
    members = arguments_of(annotation)
    if members[-1] is Ellipsis:
        scalar = _scalar(members[0], ())
        return ClickForm(scalar, multiple=True, metavar=f"{_metavar(scalar)} ...")
    scalars = tuple(_scalar(member, ()) for member in members)
    metavar = " ".join(map(_metavar, scalars))
    return ClickForm(scalars, nargs=len(members), metavar=metavar)


def type_name(annotation: Any, bounds: Sequence[Any] = ()) -> str:
    """A type and its bounds as a user would write them: ``int > 0``, ``relu | leaky_relu``."""
    members = [member for member in arguments_of(annotation) if member is not NoneType]
    origin = origin_of(annotation)
    if origin is Annotated:
        return type_name(members[0], (*bounds, *members[1:]))
    if origin in {Union, UnionType}:
        return " or ".join(
            type_name(member, bounds if len(members) == 1 else ()) for member in members
        )
    if origin is Literal:
        return " | ".join(map(str, members))
    if origin is tuple:
        return " ".join("..." if member is Ellipsis else type_name(member) for member in members)
    name = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    limits = _limits(bounds)
    for end, sign in (("min", ">"), ("max", "<")):
        if end in limits:
            name += f" {sign}{'' if limits[f'{end}_open'] else '='} {limits[end]}"
    return name


def option_help(place: str, field: FieldInfo | None) -> str:
    """Description and default of a field."""
    section, _, name = place.partition(".")
    if name == "kind":
        kinds = ", ".join(builtin_registry().kinds(section))
        return f"Kind of {section.replace('_', ' ')}: {kinds}, or that of a plugin."
    if field is None:
        return f"Same as --set {place}=VALUE."
    return f"{_described(field)}{_default(field)}"


def flag_help(place: str, constant: object, field: FieldInfo | None) -> str:
    """What a flag sets, and the description of the field."""
    if isinstance(constant, Added):
        section = place.replace("_", " ")
        return f"Add {', '.join(item['kind'] for item in constant)} to the {section}."
    if constant is True:
        return option_help(place, field).removesuffix(" [default: False]")
    return f"Set {place} to {str(constant).lower()}. {_described(field) if field else ''}".strip()


def _described(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _default(field: FieldInfo) -> str:
    if field.is_required() or field.default is None or field.default == ():
        return ""
    return f" [default: {field.default}]"


def _scalar(annotation: Any, bounds: Sequence[Any]) -> click.ParamType[Any]:
    annotation, more = bare_type(annotation)
    limits = _limits((*bounds, *more))
    if {int, str} == set(arguments_of(annotation)):
        return _Label()
    if annotation is int:
        return click.IntRange(**limits) if limits else click.INT
    if annotation is float:
        return click.FloatRange(**limits) if limits else click.FLOAT
    if annotation is Path:
        return PATH
    if origin_of(annotation) is Literal:
        return click.Choice(arguments_of(annotation))
    return click.STRING


def _metavar(scalar: click.ParamType[Any]) -> str:
    """INTEGER rather than INTEGER RANGE, whose bounds the help shows anyway; words to choose."""
    if isinstance(scalar, click.Choice):
        return f"[{'|'.join(map(str, scalar.choices))}]"
    return scalar.name.split()[0].upper()


def _limits(bounds: Sequence[Any]) -> dict[str, Any]:
    """Bounds of Click from the annotated ones of pydantic."""
    limits: dict[str, Any] = {}
    inner = [mark for bound in bounds for mark in getattr(bound, "metadata", ())]  # of a Field
    for bound in (*bounds, *inner):
        for name, click_name, is_open in (
            ("ge", "min", False),
            ("gt", "min", True),
            ("le", "max", False),
            ("lt", "max", True),
        ):
            value = getattr(bound, name, None)
            if value is not None:
                limits[click_name] = value
                limits[f"{click_name}_open"] = is_open
    return limits
