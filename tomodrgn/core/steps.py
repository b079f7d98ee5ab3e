"""Several commands in a row: check every step and the files it needs, then run them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from tomodrgn.core.commands import BASE_LAYERS, resolve_run
from tomodrgn.core.errors import SpecError, TomodrgnError
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import Layer, merge
from tomodrgn.core.specs.simulation import ScoreSpec, SimulationSpec
from tomodrgn.core.specs.steps import Step, read_steps
from tomodrgn.core.specs.volumes import VolumesSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.base import Spec

_SPECS: dict[str, type[Spec]] = {
    "eval_vol": VolumesSpec,
    "score": ScoreSpec,
    "simulate": SimulationSpec,
}
_OUTPUTS = ("out", "outdir", "cache.path")


def plan_steps(path: Path, registry: Registry) -> list[Step]:
    """Steps of a pipeline file, each of them checked.

    Raises:
        SpecError: one line per fault of any step, and per input that neither exists nor is made
            by an earlier step.
    """
    steps = read_steps(path)
    made: list[Path] = []
    faults: list[str] = []
    for step in steps:
        faults += [f"{path}: {step.label}: {fault}" for fault in _check(step, registry, made)]
        made += _outputs(step.body)
    if faults:
        raise SpecError("\n".join(faults))
    return steps


def run_step(step: Step, registry: Registry) -> list[str]:
    """Run one step; lines that tell what came of it."""
    from tomodrgn.core.pipeline import evaluate_volumes, prepare, score, simulate, train

    spec = _spec(step, registry, pending=False)
    match step.command:
        case "simulate":
            return [str(simulate(spec))]
        case "prepare":
            return [str(prepare(spec, registry, _outdir(step)))]
        case "train_vae" | "train_nn":
            folder = Path(step.body["outdir"])
            train(spec, registry, folder)
            return [str(folder)]
        case "eval_vol":
            volumes = evaluate_volumes(spec, registry)
            return [f"{len(volumes)} volumes in {spec.out}"]
        case _:
            score(spec)  # which logs its table
            return []


def _check(step: Step, registry: Registry, made: Iterable[Path]) -> Iterator[str]:
    try:
        spec = _spec(step, registry, pending=True)
    except TomodrgnError as error:
        yield from str(error).splitlines()
        return
    if step.command.startswith("train_") and _outdir(step) is None:
        yield "outdir: is missing"
    if step.command == "prepare" and not _outputs(step.body):
        yield "outdir: is missing, and so is cache.path; give one of them"
    for place, path in _paths(spec):
        absolute = path.resolve()
        if not path.exists() and not any(absolute.is_relative_to(folder) for folder in made):
            yield f"{place}: {path} does not exist, and no earlier step makes it"


def _spec(step: Step, registry: Registry, *, pending: bool) -> Any:
    if step.command not in BASE_LAYERS:
        return validate(_SPECS[step.command], step.body)
    body = {name: value for name, value in step.body.items() if name not in {"particles", "outdir"}}
    reader = {"path": step.body["particles"]} if "particles" in step.body else {}
    layers = merge({"reader": reader}, body)
    return resolve_run(step.command, layers, registry=registry, pending=pending)


def _outdir(step: Step) -> Path | None:
    outdir = step.body.get("outdir")
    return None if outdir is None else Path(str(outdir))


def _outputs(body: Layer) -> list[Path]:
    """Files and folders that a step makes, as absolute paths."""
    cache = body.get("cache")
    places = [
        body.get("out"),
        body.get("outdir"),
        cache.get("path") if isinstance(cache, dict) else None,
    ]
    return [Path(place).resolve() for place in places if isinstance(place, str)]


def _paths(spec: BaseModel, section: str = "") -> Iterator[tuple[str, Path]]:
    """Every input path in a spec, with its place."""
    for name in type(spec).model_fields:
        place = f"{section}{name}"
        value = getattr(spec, name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Path) and place not in _OUTPUTS:
                yield place, item
            elif isinstance(item, BaseModel):
                yield from _paths(item, f"{place}.")
