"""From what a user gave to a request that a command can do.

The command line, pipeline files and Python go this way alike.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tomodrgn.core.errors import SpecError
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import Layer, merge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tomodrgn.core.command import Command
    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.base import Spec
    from tomodrgn.core.specs.run import RunSpecBase


@dataclass(frozen=True, slots=True)
class Request:
    """A command with what it was asked for, validated.

    Attributes:
        command: its record.
        spec: fields of its own; None where it has none.
        run_spec: its run spec, for a command that takes a data set.
        data: sections of a run spec that were given to a command that takes a run.
    """

    command: Command
    spec: Spec | None
    run_spec: RunSpecBase | None = None
    data: Layer | None = None


def resolve(
    command: Command,
    *layers: Mapping[str, Any],
    registry: Registry,
    pending: bool = False,
) -> Request:
    """What a command is asked for.

    Args:
        command: its record.
        layers: nested mappings with its fields and sections of a run spec; later ones win.
        registry: the installed components.
        pending: whether the input may be made later, see :meth:`Registry.parse`.

    Raises:
        SpecError: there are faults, or the run spec is that of another command.
    """
    model: type[Spec] | None = command.load("spec")
    merged = merge(*layers)
    if command.takes != "dataset" and not command.data_options:
        return Request(command, None if model is None else validate(model, merged))
    names = () if model is None else model.model_fields
    mine = {name: merged.pop(name) for name in names if name in merged}
    faults: list[str] = []
    spec = run = None
    with _collecting(faults):
        spec = None if model is None else validate(model, mine)
    if command.takes == "dataset":
        with _collecting(faults):
            run = registry.parse(merge(command.base_layer(merged), merged), pending=pending)
    if faults:
        raise SpecError("\n".join(faults))
    rule = command.load("rule")
    if run is not None and rule is not None:
        rule(run, spec)
    return Request(command, spec, run, data=merged if run is None else None)


@contextlib.contextmanager
def _collecting(faults: list[str]) -> Iterator[None]:
    """Keep what is wrong with one of two specs until the other was looked at."""
    try:
        yield
    except SpecError as error:
        faults.append(str(error))


def resolve_run(
    command: str, *layers: Mapping[str, Any], registry: Registry, pending: bool = False
) -> RunSpecBase:
    """Run spec of a command: its base layer, overridden by ``layers``, later ones first.

    Args:
        command: name of a command that takes a data set.
        layers: sections of a run spec.
        registry: the installed components.
        pending: whether the input may be made later, see :meth:`Registry.parse`.

    Raises:
        SpecError: the spec has faults, or describes a run of another command.
    """
    record = registry.command(command)
    asked = merge(*layers)
    run = registry.parse(merge(record.base_layer(asked), asked), pending=pending)
    rule = record.load("rule")
    if rule is not None:
        rule(run, None)
    return run


def fields_of(command: Command) -> frozenset[str]:
    """Names of the fields of a command itself."""
    model: type[Spec] | None = command.load("spec")
    return frozenset(() if model is None else model.model_fields)
