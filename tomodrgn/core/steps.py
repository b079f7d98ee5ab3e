"""Several commands in a row: check every step and the files it needs, then run them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from tomodrgn.core.commands import (
    BASE_LAYERS,
    resolve_classification,
    resolve_reconstruction,
    resolve_run,
)
from tomodrgn.core.errors import SpecError, TomodrgnError
from tomodrgn.core.specs.analysis import AnalysisSpec
from tomodrgn.core.specs.convergence import ConvergenceNnSpec, ConvergenceVaeSpec
from tomodrgn.core.specs.downsample import DownsampleSpec
from tomodrgn.core.specs.export import ExportSpec
from tomodrgn.core.specs.faults import validate
from tomodrgn.core.specs.files import Layer, merge
from tomodrgn.core.specs.filter import FilterSpec
from tomodrgn.core.specs.mapback import MapbackSpec
from tomodrgn.core.specs.nuisance import NuisanceSpec
from tomodrgn.core.specs.simulation import ScoreSpec, SimulationSpec
from tomodrgn.core.specs.steps import Step, read_steps
from tomodrgn.core.specs.validate import ValidateSpec
from tomodrgn.core.specs.volumes import VolumesSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tomodrgn.core.registry import Registry
    from tomodrgn.core.specs.base import Spec
    from tomodrgn.core.specs.run import RunSpecBase

_SPECS: dict[str, type[Spec]] = {
    "analyze": AnalysisSpec,
    "convergence_nn": ConvergenceNnSpec,
    "convergence_vae": ConvergenceVaeSpec,
    "downsample": DownsampleSpec,
    "eval_vol": VolumesSpec,
    "export": ExportSpec,
    "filter_star": FilterSpec,
    "score": ScoreSpec,
    "simulate": SimulationSpec,
    "subtomo2chimerax": MapbackSpec,
    "validate": ValidateSpec,
    "nuisance": NuisanceSpec,
}
_OUTPUTS = ("out", "outdir", "cache.path")
_STARTS_PROCESSES = frozenset({"train_vae", "train_nn", "eval_vol", "backproject_voxel"})


@dataclass(slots=True)
class _Made:
    """What the steps so far would have made: files and folders, and the runs among them."""

    paths: list[Path] = field(default_factory=list)
    runs: dict[Path, RunSpecBase] = field(default_factory=dict)


def plan_steps(path: Path, registry: Registry) -> list[Step]:
    """Steps of a pipeline file, each of them checked.

    Raises:
        SpecError: one line per fault of any step, and per input that neither exists nor is made
            by an earlier step.
    """
    steps = read_steps(path)
    made = _Made()
    faults: list[str] = []
    for step in steps:
        faults += [f"{path}: {step.label}: {fault}" for fault in _check(step, registry, made)]
        made.paths += _outputs(step.body)
    if faults:
        raise SpecError("\n".join(faults))
    return steps


def run_step(step: Step, registry: Registry) -> list[str]:
    """Run one step; lines that tell what came of it."""
    from tomodrgn.core.pipeline import verb

    spec = _spec(step, registry, pending=False)
    do = verb(step.command)
    made: Any
    match step.command:
        case "simulate":
            made = [do(spec)]
        case "prepare":
            made = [do(spec, registry, _outdir(step))]
        case "train_vae" | "train_nn" | "train_linear":
            made = [Path(step.body["outdir"])]
            do(spec, registry, made[0])
        case "classify":
            made = [Path(step.body["outdir"])]
            do(*spec, registry, made[0])
        case "backproject_voxel":
            made = do(*spec, registry)
        case "downsample":
            made = do(spec, registry)[-1:]
        case "eval_vol":
            made = [f"{len(do(spec, registry))} volumes in {spec.out}"]
        case "export" | "filter_star" | "subtomo2chimerax":
            made = do(spec, registry)
        case "score":
            do(spec, registry)  # which logs its table
            made = []
        case "convergence_nn":
            made = [do(spec)]
        case _:  # a look at a finished run
            found = do(spec, registry)
            made = [found if isinstance(found, Path) else spec.outdir or spec.run / step.command]
    return [str(item) for item in made]


def _check(step: Step, registry: Registry, made: _Made) -> Iterator[str]:
    try:
        spec = _spec(step, registry, pending=True)
    except TomodrgnError as error:
        yield from str(error).splitlines()
        return
    outdir = step.body.get("outdir")
    if outdir is not None and not isinstance(outdir, str):
        yield f"outdir: is {outdir!r}; give the path of a folder"
    elif step.command.startswith("train_"):
        yield from _run_faults(spec, outdir, made)
    elif step.command == "classify":
        yield from _run_faults(spec[1], outdir, made)
    elif step.command == "eval_vol":
        yield from _latent_faults(spec, made.runs.get(spec.weights.parent.resolve()))
    if step.command == "prepare" and not _outputs(step.body):
        yield "outdir: is missing, and so is cache.path; give one of them"
    specs = spec if isinstance(spec, tuple) else (spec,)
    for place, path in (found for each in specs for found in _paths(each)):
        absolute = path.resolve()
        if not path.exists() and not any(absolute.is_relative_to(folder) for folder in made.paths):
            yield f"{place}: {path} does not exist, and no earlier step makes it"
    if step.command in _STARTS_PROCESSES:
        yield from _process_faults(specs)


def _process_faults(specs: Iterable[Any]) -> Iterator[str]:
    """Why a step cannot start several processes: each of them would begin with the first step."""
    for devices in (each.devices for each in specs if hasattr(each, "devices")):
        if devices.devices * devices.nodes > 1 or devices.multigpu:
            yield (
                "devices: a pipeline works in one process; leave devices, nodes and multigpu out, "
                "or call the command of this step by itself"
            )


def _run_faults(run: RunSpecBase, outdir: str | None, made: _Made) -> Iterator[str]:
    """Why a run cannot be written where a step wants it."""
    if outdir is None:
        yield "outdir: is missing"
        return
    folder, training = Path(outdir).resolve(), run.training
    if folder in made.runs:
        if training.load is None and not training.overwrite:
            yield f"outdir: an earlier step trains in {outdir}; name another, or set training.load"
    elif folder.exists():
        from tomodrgn.core.pipeline.start import find_start

        try:
            find_start(run, Path(outdir))
        except TomodrgnError as error:
            yield str(error)
    made.runs[folder] = run


def _latent_faults(volumes: VolumesSpec, run: RunSpecBase | None) -> Iterator[str]:
    """Why latents do not fit the model that an earlier step trains."""
    if run is None:
        return
    dim = run.latent.dim
    given = {"z": volumes.z, "z_start": volumes.z_start, "z_end": volumes.z_end}
    for place, latent in given.items():
        if latent is not None and len(latent) != (dim or 0):
            yield f"{place}: has {len(latent)} numbers, the model has {dim or 0} latent dimensions"
    if dim and volumes.zfile is None and not any(given.values()):
        yield "z is missing: give z, z_start and z_end, or zfile"


def _spec(step: Step, registry: Registry, *, pending: bool) -> Any:
    if step.command in _SPECS:
        return validate(_SPECS[step.command], step.body)
    body = {name: value for name, value in step.body.items() if name not in {"particles", "outdir"}}
    reader = {"path": step.body["particles"]} if "particles" in step.body else {}
    layers = merge({"reader": reader}, body)
    if step.command == "classify":
        return resolve_classification(layers, registry=registry, pending=pending)
    if step.command not in BASE_LAYERS:
        return resolve_reconstruction(layers, registry=registry, pending=pending)
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
