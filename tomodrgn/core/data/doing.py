"""Doing what was requested: the subject of a command is opened here, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tomodrgn.core.commands import Request
    from tomodrgn.core.data.dataset import Dataset
    from tomodrgn.core.data.run import Run
    from tomodrgn.core.registry import Registry


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
        case "registry":
            return function(*own, registry)
        case "dataset":
            from tomodrgn.core.data.dataset import Dataset  # which brings torch

            data: Any = request.run_spec
            known: Any = subject
            dataset = Dataset(data, registry) if known is None else known.with_spec(data)
            return function(dataset, *own)
        case "run":
            from tomodrgn.core.data.run import Run

            spec: Any = request.spec
            more = () if request.data is None else (request.data,)
            return function(subject or Run(spec.run, registry), *own, *more)
