"""Doing what was requested: the subject of a command is opened here, and nowhere else."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING, Any, Final

from tomodrgn.core.ownership.call import calling
from tomodrgn.core.specs.paths import input_paths

if TYPE_CHECKING:
    from collections.abc import Callable

    from tomodrgn.core.commands import Request
    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.data.run import Run
    from tomodrgn.core.registry import Registry

_NOUNS: Final = {
    "dataset": "tomodrgn.core.data.dataset:Dataset",  # which brings torch
    "inputs": "tomodrgn.core.data.inputs:Inputs",
    "run": "tomodrgn.core.data.run:Run",
}


def do(request: Request, registry: Registry, subject: Run | Dataset | None = None) -> Any:
    """Do the work; what the function of the command returns.

    Args:
        request: the command with its spec.
        registry: the installed components.
        subject: the run, or the data set, where it is open already.
    """
    function = request.command.load_function()
    specs = [each for each in (request.spec, request.run_spec) if each is not None]
    inputs = [path for each in specs for _, path in input_paths(each)]
    with calling(request.command.name, overwrite=_overwrites(request), inputs=inputs):
        return _do(request, registry, subject, function)


def _overwrites(request: Request) -> bool:
    """Whether files that are not the command's own may be replaced."""
    training = getattr(request.run_spec, "training", None)
    return any(getattr(each, "overwrite", False) for each in (request.spec, training))


def _do(
    request: Request,
    registry: Registry,
    subject: Run | Dataset | None,
    function: Callable[..., Any],
) -> Any:
    """Open the subject, and call the function."""
    own = () if request.spec is None else (request.spec,)
    match request.command.takes:
        case "nothing":
            return function(*own)
        case "inputs":
            return function(_noun("inputs")(registry), *own)
        case "dataset":
            data: Any = request.run_spec
            known: Any = subject
            dataset = _noun("dataset")(data, registry) if known is None else known.with_spec(data)
            return function(dataset, *own)
        case "run":
            spec: Any = request.spec
            more = () if request.data is None else (request.data,)
            return function(subject or _noun("run")(spec.run, registry), *own, *more)


def _noun(name: str) -> Any:
    """The class of what a command takes, by name: a run has commands as its methods."""
    return pkgutil.resolve_name(_NOUNS[name])
