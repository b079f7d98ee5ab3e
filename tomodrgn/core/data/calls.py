"""Commands as Python functions and as methods of runs.

Keywords are the options of the command line with ``_`` for ``-``, or places of the spec with
``__`` for a dot: ``td.train_vae("particles.star", "run", zdim=8, training__lr=1e-4)``. Validation,
messages and results are those of the command line.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, Final

from tomodrgn.core.commands import resolve
from tomodrgn.core.data.doing import do
from tomodrgn.core.errors import SpecError
from tomodrgn.core.invocation import called_as
from tomodrgn.core.specs.classic import rows_of
from tomodrgn.core.specs.files import Added, Layer, put

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tomodrgn.core.command import Command
    from tomodrgn.core.data.run import Run
    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.classic import Classic

_OF_THE_INPUT: Final = (
    "dataset", "preparation", "image_state", "contrast", "cache", "seed", "reader",
)  # fmt: skip
"""Sections of a run spec that a data set brings with it."""


class PythonCommand:
    """A command that is called with arguments and keywords instead of words.

    Args:
        record: the command.
        registry: the installed components.
        run: the run whose method it is; None for a function.
    """

    def __init__(self, record: Command, registry: Registry, run: Run | None = None) -> None:
        self._record = record
        self._registry = registry
        self._run = run
        self.__name__ = record.name
        first, others = _parameters(record)
        listed = (
            f"Arguments: {', '.join(first) or 'none'}. Keywords: {', '.join(others) or 'none'}."
        )
        self.__doc__ = "\n\n".join(filter(None, (record.summary, record.details, listed)))

    def __call__(self, *arguments: Any, **given: Any) -> Any:
        """Do it; what the command finds or the files that it wrote."""
        record, registry = self._record, self._registry
        subject: Any = self._run
        values = list(arguments) if self._run is None else [self._run, *arguments]
        below: Layer = {}
        if values and hasattr(values[0], "directory"):
            subject, values[0] = values[0], values[0].directory
        elif values and _is_dataset(values[0]):
            subject = values[0]
            below = {name: part for name, part in subject.spec.model_dump().items()
                     if name in _OF_THE_INPUT}  # fmt: skip
            values[0] = below["reader"]["path"]
        layer = layer_of(record, tuple(values), given)
        with called_as(_call(record, arguments, given)):
            return do(resolve(record, below, layer, registry=registry), registry, subject)

    def __repr__(self) -> str:
        """Its name and what it does."""
        return f"<tomodrgn command {self._record.name}: {self._record.summary}>"

    @property
    def __signature__(self) -> inspect.Signature:
        """What can be given, for help and for completion."""
        first, others = _parameters(self._record)
        positional = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
                      for name in first[self._run is not None :]]  # fmt: skip
        keywords = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
                    for name in others]  # fmt: skip
        more = inspect.Parameter("places", inspect.Parameter.VAR_KEYWORD)
        return inspect.Signature([*positional, *keywords, more])


def _is_dataset(value: Any) -> bool:
    """Whether it is a data set; where nobody has made one, torch is not imported to find out."""
    module = sys.modules.get("tomodrgn.core.data.dataset")
    return module is not None and isinstance(value, module.Dataset)


def _rows(record: Command) -> Iterator[Classic]:
    """Options that fill the run spec, then those of the command itself."""
    yield from record.load("data_options") or ()
    table = record.load("options")
    if table is None and record.spec:
        table = rows_of(record.load("spec"))
    yield from table or ()


def _keywords(row: Classic) -> list[str]:
    """Names of an option as keywords."""
    return [name.lstrip("-").replace("-", "_") for name in row.names.split()]


def _parameters(record: Command) -> tuple[list[str], list[str]]:
    """Keywords that may be given by position, and the others."""
    rows = list(_rows(record))
    first = [_keywords(row)[-1] for row in rows if not row.names.startswith("-") or row.needed]
    first.sort(key=[*(_keywords(row)[-1] for row in rows if not row.names.startswith("-")),
                    *first].index)  # fmt: skip
    others = [_keywords(row)[-1] for row in rows]
    known = dict.fromkeys(name for name in others if name not in first)
    return list(dict.fromkeys(first)), [name for name in known if name.isidentifier()]


def layer_of(record: Command, arguments: tuple[Any, ...], given: Mapping[str, Any]) -> Layer:
    """What was given, as a layer of the spec.

    Raises:
        SpecError: there are too many arguments, or one is given twice.
    """
    first, _ = _parameters(record)
    if len(arguments) > len(first):
        raise SpecError(
            f"{record.name}: takes {', '.join(first) or 'no arguments'}; found {len(arguments)}"
        )
    by_position = dict(zip(first, arguments, strict=False))
    twice = sorted(set(by_position) & set(given))
    if twice:
        raise SpecError(f"{record.name}: {twice[0]} is given twice")
    rows = {name: row for row in _rows(record) for name in _keywords(row)}
    layer: Layer = {}
    for name, value in {**by_position, **given}.items():
        row = rows.get(name)
        if row is None:
            put(layer, name.replace("__", "."), value)
        else:
            _fill(layer, row, value)
    return layer


def _fill(layer: Layer, row: Classic, value: Any) -> None:
    if row.constant is not None:
        if value is False:
            return
        value = row.constant
    for word, meant in row.words:
        value = meant if isinstance(value, str) and value == word else value
    for place in row.places.split():
        known = layer.get(place)
        joined = isinstance(value, Added) and isinstance(known, Added)
        put(layer, place, Added([*known, *value]) if joined and known else value)


def _call(record: Command, arguments: tuple[Any, ...], given: Mapping[str, Any]) -> str:
    """The call as text, for logs and manifests."""
    words = [*map(repr, arguments), *(f"{name}={value!r}" for name, value in given.items())]
    return f"tomodrgn.{record.name}({', '.join(words)})"
