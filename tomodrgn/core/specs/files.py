"""Spec files and layers: read, override, merge and write a spec before it is validated.

A layer is a nested mapping. Later layers win field by field; a section whose ``kind`` changes
starts afresh, because the fields of one kind mean nothing to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from tomodrgn.core.errors import SpecError
from tomodrgn.core.files.atomic import write_text_atomic
from tomodrgn.core.files.yaml_text import load_yaml, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pydantic import BaseModel

Layer = dict[str, Any]

AUTO = "auto"
"""A kind that stands for another one, found later; changing to or from it keeps the fields."""


class Added(list[Any]):
    """Items of a layer that join those of the layer below instead of replacing them."""


def read_spec(path: Path) -> Layer:
    """Mapping of a YAML (or JSON) file.

    Raises:
        SpecError: the file is missing, empty, too long, no YAML, or no mapping.
    """
    content = read_yaml(path)
    if content is None:
        raise SpecError(f"{path}: the file is empty; a spec file is a mapping of sections")
    if not isinstance(content, dict):
        found = type(content).__name__
        raise SpecError(f"{path}: holds a {found}; a spec file is a mapping of sections")
    return content


def read_assignments(assignments: Iterable[str]) -> Layer:
    """Layer of ``section.field=value`` texts; values are read as YAML.

    Raises:
        SpecError: a text has no ``=``, an empty place, or a value that is no YAML.
    """
    layer: Layer = {}
    for text in assignments:
        place, equals, value = text.partition("=")
        if not equals or not all(place.split(".")):
            raise SpecError(f"--set {text}: write it as section.field=value")
        put(layer, place.strip(), load_yaml(value, f"--set {place}"))
    return layer


def put(layer: Layer, place: str, value: object) -> None:
    """Set the field at a dotted place, making the sections on the way.

    Raises:
        SpecError: the place leads through something that is no section.
    """
    *sections, name = place.split(".")
    for section in sections:
        inner = layer.setdefault(section, {})
        if not isinstance(inner, dict):
            raise SpecError(f"{place}: {section} is already set to {inner!r}, which has no fields")
        layer = inner
    layer[name] = value


def merge(*layers: Mapping[str, Any]) -> Layer:
    """One layer from several; later ones win."""
    merged: Layer = {}
    for layer in layers:
        merged = _merge_two(merged, layer)
    return merged


def merge_typed(*layers: Mapping[str, Any]) -> Layer:
    """One layer from several that a user typed: fields stay where a later one changes the kind.

    The kind may not have them; then validation says so, instead of nobody.
    """
    merged: Layer = {}
    for layer in layers:
        merged = _merge_two(merged, layer, keep=True)
    return merged


def write_spec(path: Path, spec: BaseModel) -> None:
    """Write a resolved spec with every default, so that it can be read as a spec file."""
    write_text_atomic(path, dump_spec(spec))


def dump_spec(spec: BaseModel) -> str:
    """A resolved spec as YAML."""
    return yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _merge_two(lower: Mapping[str, Any], upper: Mapping[str, Any], *, keep: bool = False) -> Layer:
    if not keep and _changes_kind(lower, upper):
        return dict(upper)
    merged = dict(lower)
    for name, value in upper.items():
        below = merged.get(name)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[name] = _merge_two(below, value, keep=keep)
        elif isinstance(value, Added):
            known = list(below or ())
            joined = known + [item for item in value if item not in known]
            still_joins = keep and (below is None or isinstance(below, Added))
            merged[name] = Added(joined) if still_joins else joined
        else:
            merged[name] = value
    return merged


def _changes_kind(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> bool:
    kinds = [layer["kind"] for layer in (lower, upper) if "kind" in layer]
    named = [kind for kind in kinds if kind != AUTO]
    return any(kind != named[0] for kind in named)
