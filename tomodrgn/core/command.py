"""The record that a plugin yields for each command it offers.

A command is a function of a subject (a run, a data set, or nothing) and a spec. Everything else is
drawn from its record: the command line with its help, the steps of pipeline files, the methods of
runs and the functions of the Python interface. A record holds names alone, so that help imports
neither spec nor function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tomodrgn.core.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.specs.files import Layer

Takes = Literal["nothing", "inputs", "run", "dataset"]
"""What a command works on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a plugin declares about one command, without importing it.

    Places are ``"package.module:attribute"``, imported when they are first needed.

    Attributes:
        name: of the command, the step and the method.
        summary: one line.
        help_order: where help lists it; built-in commands have 10, 20 and so on, in the order in
            which a user meets them.
        details: what help says below the summary.
        takes: what the function works on. It is called as ``function(spec)`` for nothing,
            ``function(inputs, spec)`` with what opens runs and
            particles files by their paths, ``function(run, spec)`` with the run that ``spec.run``
            names, or ``function(dataset, spec)`` with the input of a run spec. What it returns is
            shown: a path, paths, or an object with ``page()`` and ``as_json()``.
        function: its place.
        spec: place of the pydantic model of the fields of the command itself; none for a command
            that has only those of a run spec.
        options: place of the table of option names of these fields; by default each field is an
            option of its name.
        data_options: place of the table of option names that fill a run spec. A command that takes
            a run gets what they filled as a third argument.
        base: place of the layer of a run spec that the command starts from, or of a function that
            gives it for the layer that was asked for.
        rule: place of a function that refuses run specs of other commands, called as
            ``rule(run_spec, spec)``; of a command that takes a run, called for a run that an
            earlier step of a pipeline will make.
        presets: place of layers by name, which ``--preset`` puts above the base.
        extras: place of a list of click parameters that make sense on a command line alone.
        click: place of a click command that is used as it is, and is no step; the rest is left
            out then.
    """

    name: str
    summary: str
    help_order: int = 1000
    details: str = ""
    takes: Takes = "nothing"
    function: str = ""
    spec: str = ""
    options: str = ""
    data_options: str = ""
    base: str = ""
    rule: str = ""
    presets: str = ""
    extras: str = ""
    click: str = ""

    @property
    def is_step(self) -> bool:
        """Whether a pipeline file can name it."""
        return not self.click

    def load(self, part: str) -> Any:
        """Import what one of the places names; None where it names nothing.

        Raises:
            PluginError: it cannot be imported.
        """
        place: str = getattr(self, part)
        if not place:
            return None
        from pkgutil import resolve_name  # takes milliseconds that help does not have

        try:
            return resolve_name(place)
        except Exception as error:  # third-party import: anything may happen
            raise PluginError(
                f"command {self.name}: cannot import its {part} {place!r}: "
                f"{type(error).__name__}: {error}"
            ) from error

    def base_layer(self, asked: Layer) -> Layer:
        """The layer of a run spec that the command starts from, for what was asked for.

        Raises:
            PluginError: it cannot be imported.
        """
        base: Layer | Callable[[Layer], Layer] = self.load("base")
        return base(asked) if callable(base) else base

    def load_function(self) -> Callable[..., Any]:
        """Import the function.

        Raises:
            PluginError: it cannot be imported or called.
        """
        function = self.load("function")
        if not callable(function):
            raise PluginError(f"command {self.name}: {self.function!r} cannot be called")
        return function  # type: ignore[no-any-return]
