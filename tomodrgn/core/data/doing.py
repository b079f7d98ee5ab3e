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
            return function(_dataset(request, registry, subject), *own)
        case "run":
            data = () if request.data is None else (request.data,)
            return function(_run(request, registry, subject), *own, *data)


def _dataset(request: Request, registry: Registry, subject: Any) -> Dataset:
    from tomodrgn.core.data.dataset import Dataset  # which brings torch

    assert request.run_spec is not None  # noqa: S101  resolve() sees to it, for mypy
    if subject is None:
        return Dataset(request.run_spec, registry)
    known: Dataset = subject.with_spec(request.run_spec)
    return known


def _run(request: Request, registry: Registry, subject: Any) -> Run:
    from tomodrgn.core.data.run import Run

    if subject is not None:
        known: Run = subject
        return known
    spec: Any = request.spec
    return Run(spec.run, registry)
