"""Doing what was requested: the subject of a command is opened here, and nowhere else."""

from __future__ import annotations

import pkgutil
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
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
