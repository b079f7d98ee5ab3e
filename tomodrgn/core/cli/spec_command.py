"""Commands whose options are fields of a spec.

A :class:`SpecCommand` hands its function ``layers``: the spec file, the options that were given,
and the ``--set`` assignments, in ascending precedence. Options of several values take them
after one name (``-z 1 2 3``), which Click alone cannot do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tomodrgn.core.specs.files import (
    Added,
    Layer,
    merge,
    merge_typed,
    put,
    read_assignments,
    read_spec,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Meant:
    """What a word of an option stands for."""

    value: Any


class WordsOr(click.ParamType[Any]):
    """A type whose option also takes words that stand for values."""

    def __init__(self, wrapped: click.ParamType[Any], words: Mapping[str, Any]) -> None:
        self._wrapped, self._words = wrapped, words
        self.name = wrapped.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """What a word stands for, or the value."""
        if isinstance(value, Meant):
            return value
        if value in self._words:
            return Meant(self._words[value])
        try:
            return self._wrapped.convert(value, param, ctx)
        except click.UsageError:
            self.fail(
                f"{value} is neither {self._allowed} nor {' nor '.join(self._words)}", param, ctx
            )

    @property
    def _allowed(self) -> str:
        """What the wrapped type takes, in words."""
        is_positive = isinstance(self._wrapped, click.IntRange) and self._wrapped.min == 0
        return "a positive number" if is_positive else f"of type {self._wrapped.name}"


class SpecParameter(click.Parameter):
    """Mixin: a parameter that fills the fields at ``places`` of a spec."""

    places: tuple[str, ...]
    constant: Any
    needed: bool

    def __init__(
        self,
        *args: Any,
        places: tuple[str, ...],
        constant: Any = None,
        needed: bool = False,
        **attrs: Any,
    ) -> None:
        self.places = places
        self.constant = constant
        self.needed = needed
        super().__init__(*args, **attrs)

    def fill(self, layer: Layer, value: object) -> None:
        """Put a given value, or the constant that a flag stands for, into ``layer``."""
        value = value.value if isinstance(value, Meant) else value
        for place in self.places:
            if isinstance(self.constant, Added):
                known = layer.get(place, Added())
                put(layer, place, Added([*known, *self.constant]))
            else:
                put(layer, place, value if self.constant is None else self.constant)


class SpecOption(SpecParameter, click.Option):
    """An option that fills fields of a spec."""


class SpecArgument(SpecParameter, click.Argument):
    """An argument that fills a field of a spec."""


class SpecCommand(click.Command):
    """A command that turns its spec parameters into ``layers``."""

    def __init__(self, *args: Any, fields: Sequence[SpecParameter] = (), **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self.params = [*_arguments(fields), *self.params, *_options(fields), *_file_options()]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, after repeating the name of an option for each of its values."""
        return super().parse_args(ctx, self._spread(ctx, args))

    def invoke(self, ctx: click.Context) -> Any:
        """Call the function with the layers in place of the spec parameters."""
        options: Layer = {}
        fields = [param for param in self.params if isinstance(param, SpecParameter)]
        for param in fields:
            value = ctx.params.pop(str(param.name))
            if value is not None and value is not False and value != ():
                param.fill(options, value)
        spec_file = ctx.params.pop("spec_file")
        assignments = ctx.params.pop("assignments")
        typed = merge_typed(options, read_assignments(assignments))
        layers = (read_spec(spec_file) if spec_file else {}, typed)
        _refuse_missing(ctx, fields, merge(*layers))
        ctx.params["layers"] = layers
        return super().invoke(ctx)

    def _spread(self, ctx: click.Context, args: Sequence[str]) -> list[str]:
        """``-z 1 2`` becomes ``-z 1 -z 2``, as far as the words are values of the option."""
        variadic = {
            name: param
            for param in self.params
            if isinstance(param, SpecOption) and param.multiple
            for name in param.opts
        }
        spread: list[str] = []
        current: str | None = None
        for position, word in enumerate(args):
            if word == "--":
                return spread + list(args[position:])
            if word in variadic:
                current = word
                if position + 1 == len(args) or not _fits(variadic[word], args[position + 1], ctx):
                    spread.append(word)  # Click says what is wrong with it
                continue
            if current is not None and _fits(variadic[current], word, ctx):
                spread += [current, word]
            else:
                current = None
                spread.append(word)
        return spread


def _fits(option: SpecOption, word: str, ctx: click.Context) -> bool:
    try:
        option.type.convert(word, option, ctx)
    except click.UsageError:
        return False
    is_number = isinstance(option.type, (click.types.IntParamType, click.types.FloatParamType))
    return is_number or not word.startswith("-") or word[1:].isdecimal()


def _arguments(fields: Sequence[SpecParameter]) -> list[click.Parameter]:
    return [param for param in fields if isinstance(param, click.Argument)]


def _options(fields: Sequence[SpecParameter]) -> list[click.Parameter]:
    return [param for param in fields if isinstance(param, click.Option)]


def _file_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--spec", "spec_file"],
            type=click.Path(path_type=Path),
            help="Spec file (YAML), such as the run.yaml of another run.",
        ),
        click.Option(
            ["--set", "assignments"],
            multiple=True,
            metavar="PLACE=VALUE",
            help="Set any field of the spec, e.g. decoder.dim=512; may be repeated, wins over all.",
        ),
    ]


def _refuse_missing(ctx: click.Context, fields: Sequence[SpecParameter], merged: Layer) -> None:
    filled: dict[str, bool] = {}
    for param in fields:
        for place in param.places:
            filled[place] = _lookup(merged, place) is not None
    for param in fields:
        if param.needed and not any(filled[place] for place in param.places):
            raise click.MissingParameter(ctx=ctx, param=param)


def _lookup(layer: Layer, place: str) -> Any:
    value: Any = layer
    for name in place.split("."):
        if not isinstance(value, dict):
            return value  # not a section, of which validation says more
        value = value.get(name)
    return value
