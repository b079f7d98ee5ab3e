"""Pipeline files: a list of steps, each a command with the body of its spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tomodrgn.core.errors import SpecError
from tomodrgn.core.specs.faults import suggest
from tomodrgn.core.specs.files import Layer, read_spec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Step:
    """One step as written: its number from 1, its command and the body of its spec."""

    number: int
    command: str
    body: Layer

    @property
    def label(self) -> str:
        """Number and command, for messages."""
        return f"step {self.number} ({self.command})"


def read_steps(path: Path, known: Collection[str]) -> list[Step]:
    """Steps of a pipeline file.

    Args:
        path: of the file.
        known: names of commands that can be steps.

    Raises:
        SpecError: one line per item that is no step.
    """
    content = read_spec(path)
    items = content.pop("steps", None)
    if content:
        raise SpecError(f"{path}: holds only steps; found {', '.join(map(str, content))} too")
    if not isinstance(items, list) or not items:
        raise SpecError(f"{path}: steps is missing; write a list of `- command: {{...}}` items")
    faults = [
        fault for number, item in enumerate(items, 1) for fault in _faults(number, item, known)
    ]
    if faults:
        raise SpecError("\n".join(f"{path}: {fault}" for fault in faults))
    return [
        Step(number, command, dict(body or {}))
        for number, item in enumerate(items, 1)
        for command, body in item.items()
    ]


def _faults(number: int, item: Any, known: Collection[str]) -> Iterator[str]:
    if not isinstance(item, dict) or len(item) != 1:
        yield f"step {number}: is {item!r}; write one `command: {{...}}`"
        return
    ((command, body),) = item.items()
    if command not in known:
        yield (
            f"step {number}: there is no command {command!r}."
            f"{suggest(str(command), known)} Known: {', '.join(known)}."
        )
    if body is not None and not isinstance(body, dict):
        yield f"step {number} ({command}): its spec is {body!r}; write a mapping"
