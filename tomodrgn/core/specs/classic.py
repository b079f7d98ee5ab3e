"""The row of an option table: names that users know, and the fields of specs that they fill."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union
from typing import get_args as arguments_of
from typing import get_origin as origin_of

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class Classic:
    """One option: its names, and the places of the fields it fills.

    Attributes:
        names: of an argument or an option, in one text.
        places: dotted, in one text.
        constant: what a flag sets.
        needed: whether it must be given.
        words: words that stand for values which the type of the field cannot say.
    """

    names: str
    places: str
    constant: Any = None
    needed: bool = False
    words: tuple[tuple[str, Any], ...] = ()


def rows_of(model: type[BaseModel]) -> list[Classic]:
    """The table of a model that has none of its own."""
    return [row for name, field in model.model_fields.items() for row in _rows(name, field)]


def _rows(name: str, field: FieldInfo) -> list[Classic]:
    """The option of a field; yes and no are two where neither is the default."""
    words = name.replace("_", "-")
    if is_flag(field) and field.default is None:
        return [
            Classic(f"--{words}", name, constant=True),
            Classic(f"--no-{words}", name, constant=False),
        ]
    return [_row(name, words, field)]


def _row(name: str, words: str, field: FieldInfo) -> Classic:
    if is_flag(field) and field.default is True:
        return Classic(f"--no-{words}", name, constant=False)
    names = f"-o --{words}" if name == "outdir" else f"--{words}"
    return Classic(names, name, needed=field.is_required())


def is_flag(field: FieldInfo | None) -> bool:
    """Whether the field is a yes or no."""
    return field is not None and bare_type(field.annotation)[0] is bool


def bare_type(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Annotation without None and Annotated, and the bounds that were annotated."""
    if origin_of(annotation) is Annotated:
        inner, *bounds = arguments_of(annotation)
        bare, more = bare_type(inner)
        return bare, (*bounds, *more)
    if origin_of(annotation) in {Union, UnionType}:
        members = [member for member in arguments_of(annotation) if member is not NoneType]
        if len(members) == 1:
            return bare_type(members[0])
    return annotation, ()
