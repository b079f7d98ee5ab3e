"""Several commands in a row: check every step and the files it needs, then run them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tomodrgn.core.commands import Request, resolve
from tomodrgn.core.data.doing import do
from tomodrgn.core.errors import RunError, SpecError, TomodrgnError
from tomodrgn.core.specs.files import Layer, merge
from tomodrgn.core.specs.output import RunDirectorySpec
from tomodrgn.core.specs.paths import OUTPUTS, input_paths
from tomodrgn.core.specs.steps import Step, read_steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.run import RunSpecBase

_MAX_LINES: Final = 8
"""Files that are told one by one."""


@dataclass(slots=True)
class _Made:
    """What the steps so far would have made: files and folders, and the runs among them."""

    paths: list[Path] = field(default_factory=list)
    runs: dict[Path, RunSpecBase] = field(default_factory=dict)


class Pipeline:
    """The steps of a pipeline file, all of them checked.

    Args:
        path: of the file.
        registry: the installed components and commands.

    Raises:
        SpecError: one line per fault of any step, and per input that neither exists nor is made
            by an earlier step.
    """

    def __init__(self, path: Path, registry: Registry) -> None:
        self._registry = registry
        known = [name for name, command in registry.commands.items() if command.is_step]
        self.steps = read_steps(path, known)
        made = _Made()
        faults: list[str] = []
        for step in self.steps:
            faults += [f"{path}: {step.label}: {fault}" for fault in self._check(step, made)]
            made.paths += _outputs(step.body)
        if faults:
            raise SpecError("\n".join(faults))

    def run(self, step: Step) -> list[str]:
        """Run one step; lines that tell what came of it.

        Raises:
            RunError: what was found says that what follows would be in vain.
        """
        request = self._request(step, pending=False)
        found = do(request, self._registry)
        if getattr(found, "exit_code", 0):
            raise RunError(f"{step.label}: {found.page().rstrip()}")
        return _lines(found, request)

    def _request(self, step: Step, *, pending: bool) -> Request:
        command = self._registry.command(step.command)
        body, reader = dict(step.body), {}
        if command.data_options and "particles" in body:
            reader = {"reader": {"path": body.pop("particles")}}
        return resolve(command, merge(reader, body), registry=self._registry, pending=pending)

    def _check(self, step: Step, made: _Made) -> Iterator[str]:
        """What is wrong with a step."""
        try:
            request = self._request(step, pending=True)
        except TomodrgnError as error:
            yield from str(error).splitlines()
            return
        yield from _faults(request, made)


def _lines(found: Any, request: Request) -> list[str]:
    if isinstance(found, (list, tuple)) and not hasattr(found, "page"):
        if len(found) > _MAX_LINES and all(isinstance(path, Path) for path in found):
            return [f"{len(found)} files in {os.path.commonpath([path.parent for path in found])}"]
        return [str(item) for item in found]
    if isinstance(found, (str, Path)):
        return [str(found)]
    spec: Any = request.spec
    folder = getattr(spec, "outdir", None)
    if folder is None and request.command.takes == "run":
        folder = spec.run / request.command.name
    return [] if folder is None else [str(folder)]


def _faults(request: Request, made: _Made) -> Iterator[str]:
    """Why a request cannot be done after the steps before it."""
    if isinstance(request.spec, RunDirectorySpec) and request.run_spec is not None:
        yield from _run_faults(request.run_spec, request.spec.outdir, made)
    if request.command.takes == "run":
        yield from _rule_faults(request, made)
    specs = [each for each in (request.spec, request.run_spec) if each is not None]
    for place, path in (found for each in specs for found in input_paths(each)):
        absolute = path.resolve()
        if not path.exists() and not any(absolute.is_relative_to(folder) for folder in made.paths):
            yield f"{place}: {path} does not exist, and no earlier step makes it"
    for devices in (each.devices for each in specs if hasattr(each, "devices")):
        if devices.devices * devices.nodes > 1 or devices.multigpu:
            yield (  # each of them would begin with the first step
                "devices: a pipeline works in one process; leave devices, nodes and multigpu out, "
                "or call the command of this step by itself"
            )


def _run_faults(run: RunSpecBase, outdir: Path, made: _Made) -> Iterator[str]:
    """Why a run cannot be written where a step wants it."""
    folder, training = outdir.resolve(), run.training
    if folder in made.runs:
        if training.load is None and not training.overwrite:
            yield f"outdir: an earlier step trains in {outdir}; name another, or set training.load"
    elif folder.exists():
        from tomodrgn.core.data.start import find_start

        try:
            find_start(run, outdir)
        except TomodrgnError as error:
            yield str(error)
    made.runs[folder] = run


def _rule_faults(request: Request, made: _Made) -> Iterator[str]:
    """Why a command refuses the run that an earlier step trains."""
    spec: Any = request.spec
    rule = request.command.load("rule")
    run = None if rule is None else made.runs.get(spec.run.resolve())
    if rule is None or run is None:
        return
    try:
        rule(run, spec)
    except SpecError as error:
        yield from str(error).splitlines()


def _outputs(body: Layer) -> list[Path]:
    """Files and folders that a step makes, as absolute paths."""
    cache = body.get("cache")
    places = [
        *(body.get(name) for name in sorted(OUTPUTS)),
        cache.get("path") if isinstance(cache, dict) else None,
    ]
    return [Path(place).resolve() for place in places if isinstance(place, str)]
