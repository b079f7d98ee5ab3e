"""Validation with readable faults: all of them at once, each with its place and a way out."""

from __future__ import annotations

import difflib
from reprlib import Repr
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from tomodrgn.core.errors import SpecError
from tomodrgn.core.quoting import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic_core import ErrorDetails

ModelT = TypeVar("ModelT", bound=BaseModel)

_NAMED_FAULTS = {
    "union_tag_invalid",
    "union_tag_not_found",
    "extra_forbidden",
    "missing",
    "value_error",
}

_MAX_FAULTS = 20
_LONGEST_SHOWN = 200

_IN_PLAIN_WORDS = {
    "model_type": "input should be a mapping of fields",
    "model_attributes_type": "input should be a mapping of fields",
    "path_type": "input should be a path",
    "tuple_type": "input should be a list",
}


def validate(model: type[ModelT], data: object) -> ModelT:
    """Data as a model.

    Raises:
        SpecError: one line per fault, each with its place.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise SpecError("\n".join(explain(model, error))) from error


def explain(model: type[BaseModel], error: ValidationError) -> list[str]:
    """One line per fault; the branches of a union that all failed share a line."""
    lines: dict[object, str] = {}
    faults = error.errors(include_url=False)
    for fault in faults[:_MAX_FAULTS]:
        line = _explain_one(model, fault)
        place, _ = _resolve(model, fault["loc"])
        is_branch = fault["type"] not in _NAMED_FAULTS and place in lines
        if is_branch:
            wanted, _, found = lines[place].rpartition(", got ")
            also = line.removeprefix(f"{place}: ").rpartition(", got ")[0]
            lines[place] = f"{wanted}, or {also}, got {found}"
        else:
            lines[line if fault["type"] in _NAMED_FAULTS else place] = line
    more = [f"and {len(faults) - _MAX_FAULTS} faults more"] * (len(faults) > _MAX_FAULTS)
    return [*lines.values(), *more]


def suggest(name: str, known: Iterable[str]) -> str:
    """`` Did you mean 'known'?`` for the closest known name, or nothing."""
    close = difflib.get_close_matches(name[:_LONGEST_SHOWN], list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _explain_one(model: type[BaseModel], fault: ErrorDetails) -> str:
    """Where, what was found, what is allowed."""
    place, annotation = _resolve(model, fault["loc"])
    where = f"{place}: " if place else ""
    match fault["type"]:
        case "union_tag_invalid":
            found = shown(str(fault["ctx"]["tag"]))[:_LONGEST_SHOWN]
            kinds = sorted(_kinds(annotation))
            return (
                f"{where}no installed plugin offers {found!r}.{suggest(found, kinds)} "
                f"Installed: {', '.join(kinds)}."
            )
        case "union_tag_not_found":
            return f"{where}kind is missing. Installed: {', '.join(sorted(_kinds(annotation)))}."
        case "extra_forbidden":
            return _explain_extra(model, fault["loc"])
        case "missing":
            return f"{where}is missing" if place else "something is missing"
        case "value_error":
            return f"{where}{fault['ctx']['error']}"
        case _:
            message = _IN_PLAIN_WORDS.get(fault["type"], fault["msg"])
            return f"{where}{message[0].lower()}{message[1:]}, got {_found(fault['input'])}"


def _explain_extra(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    name = shown(str(loc[-1]))[:_LONGEST_SHOWN]
    place, annotation = _resolve(model, loc[:-1])
    members = [*_models(annotation)]
    kind = next((str(part) for part in reversed(loc[:-1]) if part in _kinds(annotation)), None)
    if kind is not None:
        members = [member for member in members if kind in _kinds(member)]
    known = [field for member in members for field in member.model_fields if field != "kind"]
    where = f"{place}: " if place else ""
    found = f"{kind} has no option {name!r}" if kind else f"there is no field {name!r}"
    allowed = f"Known: {', '.join(known)}." if known else "It takes none."
    return f"{where}{found}.{suggest(name, known)} {allowed}"


def _resolve(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[str, Any]:
    """Dotted place without the tags that pydantic puts in, and the annotation found there."""
    annotation: Any = model
    place: list[str] = []
    for part in loc:
        fields = [m.model_fields[part] for m in _models(annotation) if part in m.model_fields]
        if isinstance(part, int):
            place.append(str(part))
        elif fields:
            place.append(part)
            annotation = fields[0].annotation
        elif part in _kinds(annotation):
            annotation = next(m for m in _models(annotation) if part in _kinds(m))
        elif not _is_tag(part, annotation):
            place.append(part)
    return ".".join(place), annotation


def _found(value: object) -> str:
    """A value for an error, shortened where it is long."""
    shorten = Repr()
    shorten.maxstring = shorten.maxother = _LONGEST_SHOWN
    return shorten.repr(value)


def _is_tag(part: str, annotation: Any) -> bool:
    """Whether pydantic named a branch of a union or a wrapper, not a field."""
    return get_origin(annotation) in {Union, UnionType, Literal, tuple} or "[" in part


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model inside an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _kinds(annotation: Any) -> set[str]:
    """Kinds of the models inside an annotation."""
    kinds: set[str] = set()
    for member in _models(annotation):
        if "kind" in member.model_fields:
            kinds.update(map(str, get_args(member.model_fields["kind"].annotation)))
    return kinds
