"""The spec of a finished run, which outlives plugins: what is not installed stands as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import SerializeAsAny, create_model

from tomodrgn.core.families import FAMILIES
from tomodrgn.core.specs.base import WITHOUT_SOURCE
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.run import AbsentPart, PartSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.run import RunSpecBase


def parse_recorded(data: Mapping[str, Any], registry: Registry) -> RunSpecBase:
    """Validate the spec of a finished run.

    A part that no installed plugin offers becomes an :class:`~.specs.run.AbsentPart`: the run can
    be opened, and who builds that part is told.

    Raises:
        SpecError: one line per fault.
    """
    installed: dict[str, Any] = dict(data)
    absent: dict[str, dict[int, AbsentPart]] = {}
    for family in FAMILIES:
        section = data.get(family.name)
        parts: list[Any] = list(section) if isinstance(section, (list, tuple)) else [section]
        gone = {i: AbsentPart(family=family.name, **part) for i, part in enumerate(parts)
                if _is_absent(part, registry.kinds(family.name))}  # fmt: skip
        if gone:
            absent[family.name] = gone
            kept = [part for i, part in enumerate(parts) if i not in gone]
            installed[family.name] = kept if family.arity == "many" else None
    if not absent:
        return validate(registry.run_spec, data)
    run = validate(_lenient(registry.run_spec, installed, absent), installed)
    return _with_absent(run, absent, registry.run_spec)


def _is_absent(part: Any, kinds: list[str]) -> bool:
    kind = part.get("kind") if isinstance(part, dict) else None
    return isinstance(kind, str) and kind not in kinds


def _lenient(
    model: type[RunSpecBase], installed: Mapping[str, Any], absent: Mapping[str, Any]
) -> type[RunSpecBase]:
    """The model of a run that may lack the sections that are absent."""
    fields: dict[str, Any] = {
        name: (PartSpec | None, None) for name in absent if installed[name] is None
    }
    return create_model("RunSpec", __base__=model, __cls_kwargs__=WITHOUT_SOURCE, **fields)


def _with_absent(
    run: RunSpecBase, absent: Mapping[str, dict[int, AbsentPart]], model: type[RunSpecBase]
) -> RunSpecBase:
    """A validated run with its absent parts in their places."""
    values = {name: getattr(run, name) for name in type(run).model_fields}
    fields: dict[str, Any] = {}
    for name, parts in absent.items():
        if isinstance(values[name], tuple):
            listed = list(values[name])
            for place, part in sorted(parts.items()):
                listed.insert(place, part)
            values[name] = tuple(listed)
            fields[name] = (tuple[SerializeAsAny[PartSpec], ...], ())
        else:
            values[name] = parts[0]
            fields[name] = (SerializeAsAny[PartSpec], ...)
    opened: Any = create_model(
        "RunSpec", __base__=model, __cls_kwargs__=WITHOUT_SOURCE, **fields
    ).model_construct(**values)
    return cast("RunSpecBase", opened)
